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
		w.Header()["Set-Cookie"] = []string{Matomo,
			Unlisted} // too late for this response, and for no other one
	}
	cases := parseCases(t, pathsArchive,
		"PORTAL", StartHandler(t, setsCookies),
		"AUTH", StartHandler(t, authenticates),
		"PHP", startFastCGI(t, setsCookies),
		"SITE", pathsSite(t),
		"LONG", long,
		"GOOGLE", Google, "SESSION", Session, "MATOMO", Matomo, "CSRF", CSRF)
	for _, c := range cases {
		status, err := strconv.Atoi(c.Note("status"))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		paths = append(paths, Path{c.Name, c.Caddyfile, status, c.Note("body"), c.Notes("Set-Cookie")})
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
