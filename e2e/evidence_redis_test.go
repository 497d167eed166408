package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// buildRedis builds the gateway with a storage in Redis.
var buildRedis = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(filepath.Dir(caddy), "caddy-with-redis")
	out, err := exec.Command("go", "build", "-o", binary, "./rediscaddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return binary, nil
})

// startRedis runs a Redis that keeps nothing on disk, and returns its address.
func startRedis(t *testing.T) (string, *redis.Client) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
		"--dir", t.TempDir())
	start(t, cmd)
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { client.Close() })
	await(t, "Redis", func() bool { return client.Ping(t.Context()).Err() == nil })
	return address, client
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// redisGateway is a gateway with a data directory of its own.
type redisGateway struct {
	admin, url, dir string
	cmd             *exec.Cmd
}

// startRedisGateway runs a gateway that sets a session and a tracker.
func startRedisGateway(t *testing.T, redisAddress, dir string) *redisGateway {
	t.Helper()
	binary, err := buildRedis()
	if err != nil {
		t.Fatal(err)
	}
	g := &redisGateway{dir: dir, admin: fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t)),
		url: fmt.Sprintf("http://127.0.0.1:%d/", portaltest.FreePort(t))}
	config := writeFile(t, dir, "Caddyfile", fmt.Sprintf(`{
	admin %s
	persist_config off
	default_bind 127.0.0.1
	storage test_redis %s
	log {
		output file %s
	}
}
%s {
	cookie_policy opendatasoft {
		name city
		evidence {
			interval 1s
		}
	}
	header +Set-Cookie "sessionid=s3cr3t; Path=/"
	header +Set-Cookie "_ga=s3cr3t"
	respond ok
}
`, g.admin, redisAddress, filepath.Join(dir, "all.log"), strings.TrimSuffix(g.url, "/")))
	g.cmd = exec.Command(binary, "run", "--adapter", "caddyfile", "--config", config)
	g.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	start(t, g.cmd)
	waitFor(t, g.url+"favicon.ico")
	return g
}

// fleet returns what a gateway answers for all.
func (g *redisGateway) fleet(t *testing.T) (answer evidence.Inventory, met uint64) {
	t.Helper()
	resp, err := http.Get("http://" + g.admin + "/cookie-policy/city/inventory?scope=fleet")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, b, err)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	for _, item := range answer.Cookies {
		if item.Channel == "set" && item.Name == "_ga" {
			met += item.Count
		}
	}
	return answer, met
}

// Two gateways with one Redis are a fleet: when one is killed, the other answers for both, and when it starts
// again, it knows what it had met. While Redis is away, the gateways serve and count.
func TestEvidenceInRedis(t *testing.T) {
	address, client := startRedis(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	one, two := startRedisGateway(t, address, dirs[0]), startRedisGateway(t, address, dirs[1])
	visit := func(g *redisGateway) {
		resp, err := http.Get(g.url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	visit(one)
	for range 2 {
		visit(two)
	}
	const visits = 5 // with those that waited for the gateways
	for _, g := range []*redisGateway{one, two} {
		await(t, "the evidence of both", func() bool { _, met := g.fleet(t); return met == visits })
	}
	if err := one.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	answer, met := two.fleet(t)
	if met != visits || len(answer.Instances) != 2 || answer.Instances[0].Instance == answer.Instances[1].Instance {
		t.Errorf("%d were met by %+v", met, answer.Instances)
	}
	status, out := run(t, "cookie-policy", "inventory", "--fleet", "--address", two.admin)
	if status != 0 || !strings.Contains(out, "INSTANCE") {
		t.Errorf("exit status %d\n%s", status, out)
	}

	again := startRedisGateway(t, address, dirs[0])
	await(t, "the evidence of both", func() bool { _, met := again.fleet(t); return met == visits+1 })
	answer, _ = again.fleet(t)
	if len(answer.Instances) != 2 {
		t.Errorf("the instances are %+v", answer.Instances)
	}

	keys, err := client.Keys(t.Context(), "caddy/cookie_policy/*").Result()
	if err != nil || len(keys) != 2 {
		t.Errorf("the keys are %q, %v", keys, err)
	}
	for _, key := range keys {
		stored, err := client.Get(t.Context(), key).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || bytes.Contains(text, []byte("s3cr3t")) || !bytes.Contains(text, []byte("_ga")) {
			t.Errorf("%s holds %s, %v", key, text, err)
		}
	}

	client.ShutdownNoSave(t.Context())
	visit(again)
	log := filepath.Join(dirs[0], "all.log")
	await(t, "a warning", func() bool {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), "evidence cannot be kept in storage")
	})
	visit(again)
}
