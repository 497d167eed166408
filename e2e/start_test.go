package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// The three commands with which the README begins, typed as they are written except for the page, which
// is a copy, and for the addresses: the gateway that they start enforces what the page says.
func TestDocsStart(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile("(?s)## You have a page\\? Start here\n.*?```sh\n(.*?)```").FindStringSubmatch(string(readme))
	if section == nil {
		t.Fatal("the README has no such section")
	}
	page, err := filepath.Abs("../published/testdata/portals/opendata.paris.fr.fr.txt")
	if err != nil {
		t.Fatal(err)
	}
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: sessionid=1\r\nSet-Cookie: _ga=1"))
	address := fmt.Sprintf("http://127.0.0.1:%d", portaltest.FreePort(t))
	script := strings.NewReplacer(
		"https://portal.example.org/terms/cookies-policy/", page,
		"https://portal.example.org", "http://"+portal.Address,
		"data.city.example", address,
	).Replace(section[1])

	dir := t.TempDir()
	cmd := exec.Command("sh", "-ec", strings.Replace(script, "caddy run", "exec caddy run", 1))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(caddy)+":"+os.Getenv("PATH"),
		"HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		fmt.Sprintf("CADDY_ADMIN=127.0.0.1:%d", portaltest.FreePort(t)))
	start(t, cmd)
	waitFor(t, address)
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header["Set-Cookie"]; len(got) != 1 || got[0] != "sessionid=1" {
		t.Errorf("the gateway lets through %q", got)
	}
}
