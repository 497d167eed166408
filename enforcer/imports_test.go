package enforcer_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/cookie-policy/caddy-cookie-policy"

// caddy stands for the packages of Caddy and its logger.
const caddy = "Caddy"

// allowedImports are the packages of the module, by directory, and what each may import of the
// others and of Caddy. A package that is not here may import none of them.
var allowedImports = map[string][]string{
	"cmd/caddy": {".", caddy},
	".": {"audit", "audit/output", "caddytext", "cspreport", "evidence", "evidence/print", "explain", "enforcer",
		"enforcer/policy", "enforcer/observe", "enforcer/report", "languages", "page", "published", caddy},
	"cspreport": {"enforcer/policy"},
	"evidence":  {"enforcer/observe", "enforcer/policy", "enforcer/report"},
	"evidence/print": {
		"evidence", "enforcer/observe", "enforcer/policy", "enforcer/report", "languages",
	},
	"explain":      {"enforcer", "enforcer/policy", "enforcer/observe", "enforcer/report", "har"},
	"page":         {"enforcer", "enforcer/policy", "languages"},
	"published":    {"caddytext", "enforcer/policy", "languages"},
	"audit":        {"audit/cdp", "enforcer", "enforcer/policy", "enforcer/observe", "enforcer/report"},
	"audit/output": {"audit"},
	"enforcer": {
		"enforcer/policy", "enforcer/observe", "enforcer/internal/consent", "enforcer/internal/wire",
	},
	"enforcer/report":           {"enforcer/policy", "enforcer/observe", "enforcer/internal/wire"},
	"enforcer/observe":          {"enforcer/policy", "enforcer/internal/wire"},
	"enforcer/internal/consent": {"enforcer/policy", "enforcer/internal/wire"},
	"enforcer/policy":           {"enforcer/internal/match", "enforcer/internal/wire", "languages"},

	"internal/portaltest/caddytest": {"internal/portaltest", caddy},
}

// TestImports checks the files of all packages except for e2e, which is a module of its own, and
// that every entry of allowedImports is used. Tests are not bound.
func TestImports(t *testing.T) {
	used := map[string][]string{} // as allowedImports
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir():
			if name == "e2e" || name == "testdata" || name != ".." && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		dir, err := filepath.Rel("..", filepath.Dir(file))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			used[dir] = append(used[dir], bound(imported))
			if !importAllowed(dir, imported) {
				t.Errorf("%s: package %s must not import %s", file, dir, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, allowed := range allowedImports {
		for _, imported := range allowed {
			if !slices.Contains(used[dir], imported) {
				t.Errorf("package %s does not import %s: remove that from allowedImports", dir, imported)
			}
		}
	}
}

// importAllowed reports whether the package in a directory may import another.
func importAllowed(dir, imported string) bool {
	name := bound(imported)
	return name == "" || slices.Contains(allowedImports[dir], name)
}

// bound returns the name that an imported package has in allowedImports, or nothing if every
// package may import it.
func bound(imported string) string {
	if strings.HasPrefix(imported, "github.com/caddyserver/") ||
		strings.HasPrefix(imported, "go.uber.org/zap") {
		return caddy
	}
	if imported == module || strings.HasPrefix(imported, module+"/") {
		return path.Clean(strings.TrimPrefix(strings.TrimPrefix(imported, module), "/"))
	}
	return ""
}

func TestImportAllowed(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		want          bool
	}{
		{".", module + "/enforcer", true},
		{"cmd/caddy", module, true},
		{"enforcer", "net/http", true},
		{"enforcer", module, false},
		{"enforcer", module + "/enforcer/report", false},
		{"enforcer/internal/wire", module + "/enforcer/policy", false},
		{"internal/portaltest", module + "/enforcer", false},
		{"enforcer/policy", "github.com/caddyserver/caddy/v2", false},
		{"enforcer/observe", "go.uber.org/zap/zapcore", false},
		{"internal/portaltest", "github.com/caddyserver/caddy/v2", false},
		{".", "go.uber.org/zap", true},
		{"cmd/caddy", "github.com/caddyserver/caddy/v2/cmd", true},
	} {
		if got := importAllowed(c.dir, c.imported); got != c.want {
			t.Errorf("%s importing %s: allowed is %t", c.dir, c.imported, got)
		}
	}
}
