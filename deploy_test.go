package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The dashboard and the alerts name metrics, labels and values of labels that exist. The dashboard
// shows every metric.
func TestDeployMetrics(t *testing.T) {
	metrics := metricLabels(t)
	labels := []string{"instance", "job"} // which Prometheus adds
	for _, of := range metrics {
		labels = append(labels, of...)
	}
	words := labelWords()
	var (
		selector = regexp.MustCompile(`(caddy_cookie_policy_\w+)(?:\{([^}]*)\})?`)
		matcher  = regexp.MustCompile(`^(\w+)(?:=~|!~|!=|=)"([^"]*)"$`)
		grouping = regexp.MustCompile(`\b(?:by|on|group_left) \(([^)]*)\)`)
		template = regexp.MustCompile(`\{\{ ?(?:\$labels\.)?(\w+) ?\}\}`)
		list     = regexp.MustCompile(`label_values\(.*, (\w+)\)`)
	)
	dashboard := map[string]bool{}
	for _, file := range []string{"deploy/grafana/cookie-policy.json",
		"deploy/prometheus/cookie-policy.rules.yml", "deploy/prometheus/cookie-policy.test.yml"} {
		for _, text := range texts(decoded(t, file)) {
			for _, m := range selector.FindAllStringSubmatch(text, -1) {
				of, ok := metrics[m[1]]
				if !ok {
					t.Errorf("%s names the metric %s, which does not exist: %s", file, m[1], text)
				}
				if filepath.Ext(file) == ".json" {
					dashboard[m[1]] = true
				}
				if m[2] == "" {
					continue
				}
				for _, part := range strings.Split(m[2], ",") {
					label := matcher.FindStringSubmatch(part)
					if label == nil {
						t.Errorf("%s: this test does not understand %s", file, part)
						continue
					}
					if !slices.Contains(of, label[1]) && label[1] != "instance" {
						t.Errorf("%s: %s has no label %s: %s", file, m[1], label[1], text)
					}
					for _, word := range strings.Split(label[2], "|") {
						if known := words[label[1]]; known != nil && !slices.Contains(known, word) &&
							!strings.HasPrefix(word, "$") {
							t.Errorf("%s: %s is never %q, but one of %q: %s", file, label[1], word, known, text)
						}
					}
				}
			}
			var named []string
			for _, m := range grouping.FindAllStringSubmatch(text, -1) {
				named = append(named, strings.Split(m[1], ", ")...)
			}
			for _, of := range []*regexp.Regexp{template, list} {
				for _, m := range of.FindAllStringSubmatch(text, -1) {
					named = append(named, m[1])
				}
			}
			for _, label := range named {
				if !slices.Contains(labels, label) && label != "alertname" {
					t.Errorf("%s: no metric has the label %s: %s", file, label, text)
				}
			}
		}
	}
	for metric := range metrics {
		if !dashboard[metric] {
			t.Errorf("the dashboard does not show %s", metric)
		}
	}
}

// metricLabels returns the labels of each metric.
func metricLabels(t *testing.T) map[string][]string {
	t.Helper()
	descs := make(chan *prometheus.Desc, 100)
	new(collector).Describe(descs)
	close(descs)
	labels := map[string][]string{}
	for desc := range descs {
		m := regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`).
			FindStringSubmatch(desc.String())
		if m == nil {
			t.Fatalf("this test does not understand %s", desc)
		}
		labels[m[1]] = strings.Split(m[2], ",")
	}
	if len(labels) == 0 {
		t.Fatal("no metric was found")
	}
	return labels
}

// labelWords returns the values of the labels that have fixed ones.
func labelWords() map[string][]string {
	words := map[string][]string{"category": {string(observe.Unlisted)}}
	for _, category := range policy.Categories {
		words["category"] = append(words["category"], string(category))
	}
	for state := range policy.PreferenceState(policy.PreferenceStates) {
		words["state"] = append(words["state"], state.String())
	}
	for _, channel := range []observe.Channel{observe.Set, observe.Read, observe.Expire} {
		words["channel"] = append(words["channel"], channel.String())
	}
	for _, mode := range []observe.Mode{observe.Enforce, observe.Report} {
		words["mode"] = append(words["mode"], mode.String())
		for _, verdict := range []observe.Verdict{observe.LetThrough, observe.Refused, observe.Deletion,
			observe.Expired} {
			words["verdict"] = append(words["verdict"], verdict.Word(mode))
		}
	}
	return words
}

// The panels of the dashboard have numbers of their own and do not cover each other, and each query
// asks the data source that the dashboard's reader chooses.
func TestDeployDashboard(t *testing.T) {
	type source struct{ UID string }
	var dashboard struct {
		Panels []struct {
			ID         int
			Type       string
			Title      string
			Datasource source
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct {
				Expr       string
				Datasource source
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/cookie-policy.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] {
			t.Errorf("%s: the number %d is that of another panel", panel.Title, panel.ID)
		}
		ids[panel.ID] = true
		for x := range panel.GridPos.W {
			for y := range panel.GridPos.H {
				cell := [2]int{panel.GridPos.X + x, panel.GridPos.Y + y}
				if other := cells[cell]; other != "" || cell[0] > 23 {
					t.Fatalf("%s is at %v: beyond the edge, or where %q is", panel.Title, cell, other)
				}
				cells[cell] = panel.Title
			}
		}
		if (panel.Type == "row") != (len(panel.Targets) == 0) {
			t.Errorf("%s: a %s with %d queries", panel.Title, panel.Type, len(panel.Targets))
		}
		for _, target := range panel.Targets {
			if target.Expr == "" || target.Datasource.UID != "${datasource}" || panel.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %+v", panel.Title, target)
			}
		}
	}
	if len(ids) == 0 {
		t.Error("there are no panels")
	}
}

// redisStorage matches the option of github.com/pberkel/caddy-storage-redis, which this repository
// does not depend on.
var redisStorage = regexp.MustCompile(`(?s)storage redis \{\n(.*?)\n\t\}`)

// Caddyfiles of the kit are like those in the docs, and their admin endpoint can be reached from the
// same machine, container or pod only.
func TestDeployCaddyfiles(t *testing.T) {
	// The words of its Caddyfile, version 1.8.1.
	words := []string{"address", "client_name", "compression", "db", "encryption_key", "host",
		"key_prefix", "master_name", "password", "port", "sentinel_password", "timeout", "tls_enabled",
		"tls_insecure", "tls_server_certs_path", "tls_server_certs_pem", "username"}
	for _, file := range kit(t) {
		if filepath.Base(file) != "Caddyfile" {
			continue
		}
		t.Run(file, func(t *testing.T) {
			text := read(t, file)
			if m := redisStorage.FindStringSubmatch(text); m != nil {
				for _, line := range strings.Split(m[1], "\n") {
					word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
					if !slices.Contains(words, word) || value == "" {
						t.Errorf("storage redis has no word like this: %s", line)
					}
					if word == "password" && !strings.HasPrefix(value, "{file.") {
						t.Errorf("a password is not in a file of its own: %s", line)
					}
				}
				text = strings.ReplaceAll(text, m[0], caddytest.Storage())
			}
			text = strings.ReplaceAll(text, "/var/log/caddy-cookie-policy", t.TempDir())
			provisions(t, text)
			config, _, err := caddytest.Adapt(text)
			if err != nil {
				t.Fatal(err)
			}
			var parsed struct{ Admin struct{ Listen string } }
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			if listen := parsed.Admin.Listen; !strings.HasPrefix(listen, "unix/") &&
				!strings.HasPrefix(listen, "localhost:") {
				t.Errorf("the admin endpoint listens on %q", listen)
			}
		})
	}
}

// All that the kit fetches has one version, and those that the repository has too are the same here.
func TestDeployVersions(t *testing.T) {
	containerfile := read(t, "deploy/container/Containerfile")
	images := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(containerfile, -1)
	for _, file := range []string{"deploy/compose/compose.yml", "deploy/kubernetes/deployment.yaml"} {
		images = append(images, regexp.MustCompile(`(?m)^ *image: (\S+)`).
			FindAllStringSubmatch(read(t, file), -1)...)
	}
	exact := regexp.MustCompile(`^[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9.]+)?$`)
	for _, image := range images {
		if !exact.MatchString(image[1]) {
			t.Errorf("the image %s has no exact version", image[1])
		}
	}
	if len(images) < 5 {
		t.Errorf("only the images %q were found", images)
	}
	for _, m := range regexp.MustCompile(`(github\.com/[a-z/.-]+)(\S*)`).FindAllStringSubmatch(containerfile, -1) {
		if !regexp.MustCompile(`^@v\d+\.\d+\.\d+`).MatchString(m[2]) {
			t.Errorf("the module %s has no exact version", m[1])
		}
	}
	find := func(file, pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
		if m == nil {
			t.Fatalf("%s does not match %s", file, pattern)
		}
		return m[1]
	}
	for _, c := range [][2]string{
		{find("go.mod", `caddyserver/caddy/v2 (\S+)`), find("deploy/container/Containerfile", `xcaddy build (\S+)`)},
		{find("go.mod", `caddyserver/caddy/v2 v(\S+)`), find("deploy/container/Containerfile", `-gateway:(\S+)`)},
		{find("go.mod", `caddyserver/caddy/v2 v(\S+)`), find("deploy/compose/compose.yml", `-gateway:(\S+)`)},
		{find("go.mod", `caddyserver/caddy/v2 v(\S+)`), find("deploy/kubernetes/deployment.yaml", `-gateway:(\S+)`)},
		{find("go.mod", `(?m)^go (\d+\.\d+)`), find("deploy/container/Containerfile", `golang:(\d+\.\d+)`)},
		{find(".ci/run", `xcaddy_version=(\S+)`), find("deploy/container/Containerfile", `xcaddy@(\S+)`)},
	} {
		if c[0] != c[1] {
			t.Errorf("deploy has %s, the repository %s", c[1], c[0])
		}
	}
}

// docs/deployment.md links to each file of the kit, its commands name files that exist, and it has
// each alert.
func TestDeployIsDocumented(t *testing.T) {
	const document = "docs/deployment.md"
	for _, commands := range blocks(t, document, "sh") {
		for _, file := range regexp.MustCompile(`deploy/[a-zA-Z0-9./-]+`).FindAllString(commands, -1) {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(CookiePolicy[A-Za-z]+)` \\| ([a-z]+) \\|").
		FindAllStringSubmatch(read(t, document), -1)
	var documented, alerts []string
	for _, row := range rows {
		documented = append(documented, row[1]+" "+row[2])
	}
	rules, _ := at(decoded(t, "deploy/prometheus/cookie-policy.rules.yml"), "groups", 0, "rules").([]any)
	for _, rule := range rules {
		if name := at(rule, "alert"); name != nil {
			alerts = append(alerts, fmt.Sprint(name, " ", at(rule, "labels", "severity")))
		}
	}
	slices.Sort(documented)
	slices.Sort(alerts)
	want(t, "alerts in "+document, documented, alerts)

	linked := links(read(t, document))
	for _, file := range kit(t) {
		if !slices.Contains(linked, "../"+file) && !slices.Contains(linked, "../"+filepath.Dir(file)) {
			t.Errorf("docs/deployment.md links neither to %s nor to its directory", file)
		}
	}
}

// kit are the files of the operations kit.
func kit(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir("deploy", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	return files
}

// decoded returns what a file of JSON or YAML holds. Keys that come twice are a fault.
func decoded(t *testing.T, file string) (value any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, file)), &value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

// texts returns all texts within a value.
func texts(value any) (found []string) {
	switch v := value.(type) {
	case string:
		found = append(found, v)
	case []any:
		for _, member := range v {
			found = append(found, texts(member)...)
		}
	case map[string]any:
		for _, member := range v {
			found = append(found, texts(member)...)
		}
	}
	return found
}

// at returns a member of a decoded value, by keys and numbers, or nil.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		default:
			panic(fmt.Sprintf("%T in a path", step))
		}
	}
	return value
}
