package report

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verdictColumns are the verdicts' words, as columns.
var verdictColumns = []string{
	"let_through", "refused", "deletion", "expired", "would_refuse", "would_expire",
}

// inventoryColumns are the columns of an inventory. What has no meaning for a row is empty in it.
var inventoryColumns = slices.Concat(
	[]string{"name", "channel", "mode", "category", "rule", "first", "last", "count", "missed"},
	verdictColumns,
	[]string{"domains", "paths", "same_site", "lifetime", "session", "insecure", "missing_http_only", "hosts",
		"directives", "days", "granted", "refused_by_choice", "undecided", "digest"},
)

// loadChannel is the channel of origins, which are in the same table as cookies.
const loadChannel = "load"

// CSV returns the inventory as CSV with a header, one line for each cookie and then for each origin.
func (i Inventory) CSV() []byte {
	rows := [][]string{inventoryColumns}
	add := func(cells map[string]string) {
		row := make([]string, len(inventoryColumns))
		for n, column := range inventoryColumns {
			row[n] = cells[column]
		}
		rows = append(rows, row)
	}
	for _, c := range i.Cookies {
		cells := map[string]string{
			"name": c.Name, "channel": c.Channel, "mode": c.Mode, "category": string(c.Category), "rule": c.Rule,
			"first": stamp(c.First), "last": stamp(c.Last), "count": number(c.Count), "missed": number(c.Missed),
			"domains": list(c.Domains), "paths": list(c.Paths), "same_site": list(c.SameSite),
			"lifetime": strconv.FormatInt(c.Lifetime, 10), "session": strconv.FormatBool(c.Session),
			"insecure": strconv.FormatBool(c.Insecure), "missing_http_only": strconv.FormatBool(c.MissingHTTPOnly),
			"hosts": list(c.Hosts), "digest": c.Digest,
		}
		for _, verdict := range verdictColumns {
			cells[verdict] = number(c.Verdicts[verdict])
		}
		add(cells)
	}
	for _, o := range i.Origins {
		cells := map[string]string{
			"name": o.Origin, "channel": loadChannel, "category": string(o.Category), "rule": o.Rule,
			"first": stamp(o.First), "last": stamp(o.Last), "count": number(o.Count), "missed": number(o.Missed),
			"hosts": list(o.Hosts), "directives": list(o.Directives), "days": strconv.Itoa(o.Days),
			"granted": number(o.Granted), "refused_by_choice": number(o.Refused), "undecided": number(o.Undecided),
			"digest": o.Digest,
		}
		for _, verdict := range []string{"let_through", "refused", "would_refuse"} {
			cells[verdict] = number(o.Verdicts[verdict])
		}
		add(cells)
	}
	return writeCSV(rows)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func list(words []string) string { return strings.Join(words, " ") }

// CSV returns the drift as CSV with a header, one line for each finding.
func (d Drift) CSV() []byte {
	rows := [][]string{{"kind", "cookie", "detail", "origin", "digest"}}
	for _, f := range d.Findings {
		rows = append(rows, []string{f.Kind, f.Cookie, f.Detail, f.Origin, f.Digest})
	}
	return writeCSV(rows)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func writeCSV(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = noFormula(cell)
		}
		_ = w.Write(row) // a buffer has no errors
	}
	w.Flush()
	return b.Bytes()
}

// noFormula adds a quote before what a spreadsheet would take for a formula, also in the full-width
// signs that some take for the ASCII ones.
func noFormula(cell string) string {
	if strings.IndexAny(cell, "=+-@\uff1d\uff0b\uff0d\uff20") == 0 {
		return "'" + cell
	}
	return cell
}
