package cookiepolicy

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logMessages returns the messages that the package logs, with the file of each: string constants
// that a logger's method gets, those assigned to a variable that it gets, and the layout's warnings.
func logMessages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := goparser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		variables := map[string]bool{}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isLogging(call) {
				if text, ok := constantText(call.Args[0]); ok {
					messages[text] = file
				} else if variable, ok := call.Args[0].(*ast.Ident); ok {
					variables[variable.Name] = true
				}
			}
			return true
		})
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if name, ok := n.Lhs[0].(*ast.Ident); ok && variables[name.Name] {
					if text, ok := constantText(n.Rhs[0]); ok {
						messages[text] = file
					}
				}
			case *ast.ValueSpec:
				if len(n.Values) > 0 && strings.HasSuffix(n.Names[0].Name, "Warning") {
					if text, ok := constantText(n.Values[0]); ok {
						messages[text] = file
					}
				}
			}
			return true
		})
	}
	return messages
}

// isLogging reports whether a call is one of a logger's methods.
func isLogging(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && len(call.Args) > 0 &&
		slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name)
}

// constantText returns the text of a string literal, or of several joined with +.
func constantText(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constantText(e.X)
		right, ok2 := constantText(e.Y)
		return left + right, ok && ok2 && e.Op == token.ADD
	}
	return "", false
}
