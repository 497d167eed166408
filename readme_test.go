package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// Every Caddyfile in the README adapts without a warning, is written as `caddy fmt` writes it, and provisions.
func TestREADMECaddyfiles(t *testing.T) {
	for i, text := range fenced(t, "caddyfile") {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			text = strings.ReplaceAll(text, "/var/log/caddy", t.TempDir())
			config, warnings, err := adapt(text)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v, %v\n%s", err, warnings, text)
			}
			handlerConfig(t, config)
			var parsed caddy.Config
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&parsed); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// The commands in the README print what it says they print. They are carried out here without a shell or curl, which a machine may lack, and on
// other ports than their own, which may be taken; e2e runs them for real.
func TestREADMECommands(t *testing.T) {
	example, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	load(t, strings.NewReplacer("8080", fmt.Sprint(port), "8081", fmt.Sprint(port+1)).Replace(string(example)))
	curl := regexp.MustCompile(`^curl -si (?:-H '(.*)' )?http://localhost:808([01])/ \| grep -i \^set-cookie$`)
	for _, console := range fenced(t, "console") {
		for _, c := range regexp.MustCompile(`(?m)^\$ (.*)\n((?:[^$].*\n)*)`).FindAllStringSubmatch(console, -1) {
			command, want := c[1], c[2]
			words := curl.FindStringSubmatch(command)
			if words == nil {
				t.Fatalf("this test does not understand %s", command)
			}
			site := gateway(port + int(words[2][0]-'0'))
			var got strings.Builder
			for _, line := range site.send(t, "GET / HTTP/1.1\r\nHost: localhost\r\n"+header(words[1])+"Connection: close\r\n\r\n").setCookies() {
				fmt.Fprintf(&got, "Set-Cookie: %s\n", line)
			}
			if got.String() != want {
				t.Errorf("%s\nprints\n%s\nand not\n%s", command, got.String(), want)
			}
		}
	}
}

func header(line string) string {
	if line == "" {
		return ""
	}
	return line + "\r\n"
}

// fenced returns the README's code blocks in a language.
func fenced(t *testing.T, language string) (blocks []string) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("the README has no %s block", language)
	}
	return blocks
}
