package published

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTry(t *testing.T) {
	for _, f := range strings.Fields(os.Getenv("TRY")) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p := Read(b, KindOf("", b))
		text, notes := p.Block()
		fmt.Printf("=== %s lang=%s status=%d\n%s", f, p.Language, p.Status(), text)
		for _, n := range append(p.Notes, notes...) {
			fmt.Printf("%d: %s: %s\n", n.Line, n.Kind, n.Message)
		}
	}
}
