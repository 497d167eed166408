package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The README's quick start, typed as it stands there but for the ports, which may be taken: it prints what the README says it prints.
func TestQuickStart(t *testing.T) {
	need(t, "curl")
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	gateway, portal := freePort(t), freePort(t)
	ports := strings.NewReplacer("8080", fmt.Sprint(gateway), "8081", fmt.Sprint(portal))
	startGateway(t, fmt.Sprintf("http://127.0.0.1:%d/", gateway), ports.Replace(string(example)))
	commands := regexp.MustCompile(`(?m)^\$ (.*)\n((?:[^$`+"`"+`].*\n)*)`).FindAllStringSubmatch(string(readme), -1)
	if len(commands) == 0 {
		t.Fatal("the README shows no command")
	}
	for _, c := range commands {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", ports.Replace(c[1])).CombinedOutput()
		if got := strings.ReplaceAll(string(out), "\r\n", "\n"); err != nil || got != c[2] {
			t.Errorf("%s\nprints\n%s(%v)\nand not\n%s", c[1], got, err, c[2])
		}
	}
}
