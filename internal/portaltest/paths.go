package portaltest

import (
	_ "embed"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Path is a way that a cookie takes through Caddy: a portal, another handler, an error route.
type Path struct {
	Name       string
	Directives string // of a site, which has the published policy

	status  int
	body    string
	cookies []string
}

//go:embed paths.txtar
var pathsArchive string

// Paths starts the portals that the paths need, and returns the paths.
func Paths(t testing.TB) (paths []Path) {
	t.Helper()
	setsCookies := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{Google, Session}
		switch r.URL.Path {
		case "/denied":
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		case "/unauthorized":
			w.WriteHeader(http.StatusUnauthorized)
		case "/long":
			io.WriteString(w, long)
			return
		}
		io.WriteString(w, "hello")
	}
	authenticates := func(w http.ResponseWriter, r *http.Request) {
		setsCookies(w, r)
		w.Header()["Set-Cookie"] = []string{Matomo, Unlisted} // too late for this response, and for no other one
	}
	lines := []string{"GOOGLE", Google, "SESSION", Session, "MATOMO", Matomo, "CSRF", CSRF}
	plain := strings.NewReplacer(lines...)
	for i := 1; i < len(lines); i += 2 {
		lines[i] = "`" + lines[i] + "`"
	}
	quoted := strings.NewReplacer(append(lines,
		"PORTAL", StartHandler(t, setsCookies),
		"AUTH", StartHandler(t, authenticates),
		"PHP", StartFastCGI(t, setsCookies),
		"SITE", pathsSite(t))...)

	for _, file := range ParseArchive(pathsArchive) {
		p := Path{Name: file.Name, Directives: quoted.Replace(file.Text)}
		for line := range strings.Lines(file.Text) {
			comment, found := strings.CutPrefix(strings.TrimSpace(line), "# ")
			if !found {
				break
			}
			if cookie, found := strings.CutPrefix(comment, "Set-Cookie: "); found {
				p.cookies = append(p.cookies, plain.Replace(cookie))
				continue
			}
			status, body, _ := strings.Cut(comment, " ")
			if body == "LONG" {
				body = long
			}
			p.body = body
			var err error
			if p.status, err = strconv.Atoi(status); err != nil {
				t.Fatalf("%s: %v", file.Name, err)
			}
		}
		paths = append(paths, p)
	}
	return paths
}

var long = strings.Repeat("hello ", 10_000)

// pathsSite makes a directory that file servers and templates serve.
func pathsSite(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	const add = "{{.RespHeader.Add \"Set-Cookie\" "
	for name, content := range map[string]string{
		"index.html": add + "`" + Google + "`}}" + add + "`" + Session + "`}}hello",
		"hello.txt":  "hello",
		"index.php":  "<?php",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Check checks what came back.
func (p *Path) Check(t testing.TB, what string, got Reply) {
	t.Helper()
	if body := got.Text(t); got.Status != p.status || body != p.body {
		t.Errorf("%s: got status %d, body %.99q, want %d, %.99q", what, got.Status, body, p.status, p.body)
	}
	if !slices.EqualFunc(got.Header["Set-Cookie"], p.cookies, func(got, want string) bool {
		return got == want || strings.HasSuffix(want, "=") && strings.HasPrefix(got, want)
	}) {
		t.Errorf("%s: got %q, want %q", what, got.Header["Set-Cookie"], p.cookies)
	}
}
