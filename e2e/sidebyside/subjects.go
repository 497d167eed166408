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

// subject is one program in front of the portal. It serves the portal on several ports at once, with its policy and without, so that both are
// measured in the same process: two processes of one program differ by more than what is to be seen here.
type subject struct {
	name     string                                             // for -only
	packages []string                                           // Debian's, which hold
	needs    []string                                           // these files, any that match
	files    []string                                           // in peers/; the config is the first
	command  func(config string, ports map[string]int) []string // the program is the first
	rows     []*row
}

// row is one line of the table: a port with a policy against the port `off`, under one load.
type row struct {
	title  string
	port   string
	load   *load
	remark string
	want   []string // the cookies that come out; none: those of the load

	problem string // why it is not measured
	pairs   []pair
}

// load is what a visitor asks for.
type load struct {
	title  string
	path   string
	cookie string   // the request's Cookie header
	sent   []string // the portal's lines
	want   []string // those that the policy lets through
}

var (
	noPreference = &load{title: "six lines, no stored preference", path: "/", sent: sixLines, want: []string{session, csrf, language}}
	granted      = &load{title: "six lines, stored preference grants `matomo`", path: "/", cookie: storedPreference(), sent: sixLines, want: []string{session, matomo, csrf, language}}
	noCookies    = &load{title: "no cookies, neither in the request nor in the response", path: plainPath}
)

// storedPreference is what the portals' own banner writes. It carries the time of the choice, and an old choice is no choice.
func storedPreference() string {
	return fmt.Sprintf("sessionid=0123456789abcdef0123456789abcdef; cookies_preferences=%%7B%%22functional_cookies%%22%%3Atrue%%2C%%22matomo%%22%%3Atrue%%2C%%22timestamp%%22%%3A%d%%7D",
		time.Now().Add(-time.Hour).UnixMilli())
}

// withAndWithoutPreference are the rows of a peer.
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

// subjects are all there is to measure. caddy is the path of the Caddy with this module.
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
				{title: "Caddy against itself", port: "control", load: noPreference, want: sixLines, remark: "nothing is on: this is the noise"},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: noPreference},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: granted},
				{title: "**Caddy + `cookie_policy`**", port: "on", load: noCookies},
				{title: "Caddy `header`, of what is not there", port: "idle", load: noCookies, remark: "what a handler costs that does nothing"},
				{title: "Caddy `header`, regular expression", port: "header", load: noPreference, remark: "names what is refused: it has no allowlist; no preference"},
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
				return []string{"/usr/sbin/varnishd", "-F", "-j", "none", "-n", filepath.Join(filepath.Dir(config), "run"), "-f", config,
					"-a", fmt.Sprintf("off=127.0.0.1:%d", ports["off"]), "-a", fmt.Sprintf("on=127.0.0.1:%d", ports["on"])}
			},
			rows: withAndWithoutPreference("Varnish + `vmod_header`", matchesPreference),
		},
		{
			name:     "apache",
			packages: []string{"apache2"},
			needs:    []string{"/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_headers.so"},
			files:    []string{"apache.conf"},
			command: func(config string, _ map[string]int) []string {
				return []string{"/usr/sbin/apache2", "-d", filepath.Dir(config), "-f", config, "-DFOREGROUND"}
			},
			rows: withAndWithoutPreference("Apache `mod_headers`", matchesPreference),
		},
	}
}

// missing are the files that a subject needs and that are not there.
func (s *subject) missing() (files []string) {
	for _, pattern := range s.needs {
		if found, _ := filepath.Glob(pattern); found == nil {
			files = append(files, pattern)
		}
	}
	return files
}

// fail gives all rows of the subject the reason why they are not measured.
func (s *subject) fail(reason string) {
	for _, r := range s.rows {
		r.problem = reason
	}
}

// ports are the subject's, all free a moment ago.
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
		defer l.Close() // only when all are found: no port is given twice
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

// selected are the subjects that -only names, separated by commas; all where it names none.
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
			return nil, fmt.Errorf("-only: there is no %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
