package main

import (
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

// subject is a program in front of the portal. It serves the portal on several ports at once, with
// its policy and without, so that both are measured in the same process: two processes of one
// program differ by more than the policy costs.
type subject struct {
	name     string   // as -only names it
	packages []string // the Debian packages that contain the files in needs
	needs    []string // patterns of files without which the subject cannot run
	files    []string // in peers/; the config is the first
	rows     []*row

	// command returns the program and its arguments.
	command func(config string, ports map[string]int) []string
}

// row is a row of the table. It compares a port with a policy to the port off, under one load.
type row struct {
	title  string
	port   string
	load   *load
	remark string
	want   []string // the cookies that are let through; nil means those of the load

	problem string // why the row is not measured
	pairs   []pair
}

// load is a request and its response.
type load struct {
	title  string
	path   string
	cookie string   // the request's Cookie header
	sent   []string // the portal's lines
	want   []string // the lines that the policy lets through
}

var (
	noPreference = &load{
		title: "six lines, no stored preference",
		path:  "/",
		sent:  sixLines,
		want:  []string{session, csrf, language},
	}
	granted = &load{
		title:  "six lines, stored preference grants `matomo`",
		path:   "/",
		cookie: storedPreference(),
		sent:   sixLines,
		want:   []string{session, matomo, csrf, language},
	}
	noCookies = &load{
		title: "no cookies, neither in the request nor in the response",
		path:  plainPath,
	}
)

// storedPreference returns a Cookie header with a preference as the portals' banner writes it. It
// contains the time of the choice, because a policy ignores a choice that is too old.
func storedPreference() string {
	return fmt.Sprintf("sessionid=0123456789abcdef0123456789abcdef; cookies_preferences="+
		"%%7B%%22functional_cookies%%22%%3Atrue%%2C%%22matomo%%22%%3Atrue%%2C"+
		"%%22timestamp%%22%%3A%d%%7D", time.Now().Add(-time.Hour).UnixMilli())
}

// withAndWithoutPreference returns the rows of a subject other than Caddy.
func withAndWithoutPreference(title, remark string) []*row {
	return []*row{
		{title: title, port: "on", load: noPreference, remark: remark},
		{title: title, port: "on", load: granted, remark: remark},
	}
}

const (
	searchesPreference = "searches the decoded preference for a word"
	matchesPreference  = "matches the preference as one way of encoding writes it"
)

// subjects returns all subjects. caddy is the path of a Caddy with this module.
func subjects(caddy string) []*subject {
	nginx := func(config string, _ map[string]int) []string {
		return []string{"/usr/sbin/nginx", "-p", filepath.Dir(config), "-e", "stderr", "-c", config}
	}
	return []*subject{
		{
			name:  "caddy",
			files: []string{"Caddyfile"},
			command: func(config string, _ map[string]int) []string {
				return []string{caddy, "run", "--adapter", "caddyfile", "--config", config}
			},
			rows: []*row{
				{
					title:  "Caddy against itself",
					port:   "control",
					load:   noPreference,
					want:   sixLines,
					remark: "no policy on either port: the error of the measurement",
				},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: noPreference},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: granted},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: noCookies},
				{
					title:  "Caddy `header`, for an absent field",
					port:   "idle",
					load:   noCookies,
					remark: "the cost of a handler that does nothing",
				},
				{
					title:  "Caddy `header`, regular expression",
					port:   "header",
					load:   noPreference,
					remark: "lists refused names, as it has no allowlist; ignores the preference",
				},
			},
		},
		{
			name:     "nginx-lua",
			packages: []string{"nginx", "libnginx-mod-http-lua"},
			needs:    []string{"/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_http_lua_module.so"},
			files:    []string{"nginx-lua.conf"},
			command:  nginx,
			rows:     withAndWithoutPreference("nginx + Lua", searchesPreference),
		},
		{
			name:     "nginx-njs",
			packages: []string{"nginx", "libnginx-mod-http-js"},
			needs:    []string{"/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_http_js_module.so"},
			files:    []string{"nginx-njs.conf", "policy.js"},
			command:  nginx,
			rows:     withAndWithoutPreference("nginx + njs", searchesPreference),
		},
		{
			name:     "haproxy",
			packages: []string{"haproxy"},
			needs:    []string{"/usr/sbin/haproxy"},
			files:    []string{"haproxy.cfg", "policy.lua"},
			command: func(config string, _ map[string]int) []string {
				return []string{"/usr/sbin/haproxy", "-db", "-f", config}
			},
			rows: withAndWithoutPreference("HAProxy + Lua", searchesPreference),
		},
		{
			name:     "varnish",
			packages: []string{"varnish", "varnish-modules"},
			needs:    []string{"/usr/sbin/varnishd", "/usr/lib/*/varnish/vmods/libvmod_header.so"},
			files:    []string{"varnish.vcl"},
			command: func(config string, ports map[string]int) []string {
				return []string{"/usr/sbin/varnishd", "-F", "-j", "none",
					"-n", filepath.Join(filepath.Dir(config), "run"), "-f", config,
					"-a", fmt.Sprintf("off=127.0.0.1:%d", ports["off"]),
					"-a", fmt.Sprintf("on=127.0.0.1:%d", ports["on"])}
			},
			rows: withAndWithoutPreference("Varnish + `vmod_header`", matchesPreference),
		},
		{
			name:     "apache",
			packages: []string{"apache2"},
			needs:    []string{"/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_headers.so"},
			files:    []string{"apache.conf"},
			command: func(config string, _ map[string]int) []string {
				return []string{"/usr/sbin/apache2", "-d", filepath.Dir(config), "-f", config,
					"-DFOREGROUND"}
			},
			rows: withAndWithoutPreference("Apache `mod_headers`", matchesPreference),
		},
	}
}

// missing returns the files that the subject needs and that do not exist.
func (s *subject) missing() (files []string) {
	for _, pattern := range s.needs {
		if found, _ := filepath.Glob(pattern); found == nil {
			files = append(files, pattern)
		}
	}
	return files
}

// fail sets the reason why the rows of the subject are not measured.
func (s *subject) fail(reason string) {
	for _, r := range s.rows {
		r.problem = reason
	}
}

// ports returns a free port for each name that the subject listens on.
func (s *subject) ports() (map[string]int, error) {
	ports := map[string]int{"off": 0}
	for _, r := range s.rows {
		ports[r.port] = 0
	}
	for name := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the loop, so that no port is returned twice
		ports[name] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

//go:embed peers
var peers embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(peers, "peers/*"))

// prepare writes the subject's files into a directory and returns the command to run.
func (s *subject) prepare(dir string, portal net.Addr, ports map[string]int) (*exec.Cmd, error) {
	host, port, err := net.SplitHostPort(portal.String())
	if err != nil {
		return nil, err
	}
	data := map[string]any{"dir": dir, "portal": portal, "portalHost": host, "portalPort": port}
	for name, port := range ports {
		data[name] = port
	}
	for _, name := range s.files {
		var text strings.Builder
		if err := templates.ExecuteTemplate(&text, name, data); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600); err != nil {
			return nil, err
		}
	}
	args := s.command(filepath.Join(dir, s.files[0]), ports)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	return cmd, nil
}

// selected returns the subjects that -only names, or all of them if it is empty.
func selected(all []*subject, only string) ([]*subject, error) {
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	var chosen []*subject
	var known []string
	for _, s := range all {
		known = append(known, s.name)
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-only: unknown subject %q; want one or more of %s", name,
				strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
