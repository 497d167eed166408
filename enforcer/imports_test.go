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

// allowedImports are the imports between the packages of the module, by directory. A package that
// is not here may import none.
var allowedImports = map[string][]string{
	"cmd/caddy": {"."},
	".":         {"enforcer", "enforcer/policy", "enforcer/observe", "enforcer/report"},
	"enforcer": {
		"enforcer/policy", "enforcer/observe", "enforcer/internal/consent", "enforcer/internal/wire",
	},
	"enforcer/report":           {"enforcer/policy", "enforcer/observe", "enforcer/internal/wire"},
	"enforcer/observe":          {"enforcer/policy", "enforcer/internal/wire"},
	"enforcer/internal/consent": {"enforcer/policy", "enforcer/internal/wire"},
	"enforcer/policy":           {"enforcer/internal/match", "enforcer/internal/wire"},

	"internal/portaltest/caddytest": {"internal/portaltest"},
}

// TestImports checks the files of all packages except for e2e, which is a module of its own. Tests
// are not bound.
func TestImports(t *testing.T) {
	checked := map[string]bool{}
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
		checked[dir] = true
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !importAllowed(dir, imported) {
				t.Errorf("%s: package %s must not import %s", file, dir, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range allowedImports {
		if !checked[dir] {
			t.Errorf("there is no package %s", dir)
		}
	}
}

// knowCaddy are the directories whose packages may import Caddy and its logger.
var knowCaddy = []string{".", "cmd/caddy", "internal/portaltest/caddytest"}

// importAllowed reports whether the package in a directory may import another.
func importAllowed(dir, imported string) bool {
	for _, foreign := range []string{"github.com/caddyserver/", "go.uber.org/zap"} {
		if strings.HasPrefix(imported, foreign) {
			return slices.Contains(knowCaddy, dir)
		}
	}
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		return true
	}
	own := path.Clean(strings.TrimPrefix(strings.TrimPrefix(imported, module), "/"))
	return slices.Contains(allowedImports[dir], own)
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
