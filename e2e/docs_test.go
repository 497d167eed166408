package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// The commands in the README and the docs, typed as they are written except for the ports, which may
// be taken: they print what the docs say.
func TestDocsCommands(t *testing.T) {
	need(t, "curl")
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	gateway, portal := portaltest.FreePort(t), portaltest.FreePort(t)
	ports := strings.NewReplacer("8080", fmt.Sprint(gateway), "8081", fmt.Sprint(portal))
	startGateway(t, fmt.Sprintf("http://127.0.0.1:%d/", gateway), ports.Replace(string(example)))

	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no docs: %v", err)
	}
	var (
		console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
		command = regexp.MustCompile(`(?m)^\$ (.*)\n((?:[^$].*\n)*)`)
	)
	for _, file := range append([]string{"../README.md"}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := console.FindAllStringSubmatch(string(text), -1)
		if file == "../README.md" && len(blocks) == 0 {
			t.Error("the README shows no command")
		}
		for _, block := range blocks {
			for _, c := range command.FindAllStringSubmatch(block[1], -1) {
				cmd := exec.CommandContext(t.Context(), "sh", "-c", ports.Replace(c[1]))
				cmd.Dir = ".."
				cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(caddy)+":"+os.Getenv("PATH"))
				out, err := cmd.CombinedOutput()
				if got := strings.ReplaceAll(string(out), "\r\n", "\n"); err != nil || got != c[2] {
					t.Errorf("%s: %s\nprints\n%s(%v)\nand not\n%s", file, c[1], got, err, c[2])
				}
			}
		}
	}
}
