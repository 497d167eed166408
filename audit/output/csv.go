package output

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// CSV returns one row for each thing that happened to a cookie.
func CSV(r *audit.Report) ([]byte, error) {
	rows := [][]string{{"name", "domain", "path", "partition", "party", "rule", "category", "consent", "state", "run",
		"page", "time", "what", "count", "setter", "setter_url", "declared_life", "effective_life", "secure", "http_only",
		"same_site", "length", "mac", "refused_because"}}
	for _, c := range r.Cookies {
		for _, s := range c.Seen {
			row := []string{c.Name, c.Domain, c.Path, c.Partition, c.Party, c.Rule, c.Category, strings.Join(c.Consent, " "),
				s.State, strconv.Itoa(s.Run), pageOf(r, &s), s.At.Format(time.RFC3339), s.What, strconv.Itoa(s.Count)}
			kind, url := "", s.URL
			if s.Setter != nil {
				kind, url = s.Setter.Kind, place(s.Setter)
			}
			row = append(row, kind, url, s.Declared, s.Effective)
			if f := s.Flags; f != nil {
				row = append(row, strconv.FormatBool(f.Secure), strconv.FormatBool(f.HTTPOnly), f.SameSite)
			} else {
				row = append(row, "", "", "")
			}
			rows = append(rows, append(row, strconv.Itoa(s.Length), s.MAC, strings.Join(s.Reasons, " ")))
		}
	}
	return table(rows)
}

// OriginsCSV returns one row for each origin of another host to which the browser sent requests.
func OriginsCSV(r *audit.Report) ([]byte, error) {
	rows := [][]string{{"origin", "host", "site", "party", "rule", "category", "consent", "count", "states", "early", "types",
		"pages", "initiators", "query_keys"}}
	for _, c := range r.Requests {
		row := []string{c.Origin, c.Host, c.Site, c.Party, c.Rule, c.Category, strings.Join(c.Consent, " "), strconv.Itoa(c.Count)}
		for _, list := range [][]string{c.States, c.Early, c.Types, c.Pages, c.Initiators, c.QueryKeys} {
			row = append(row, strings.Join(list, " "))
		}
		rows = append(rows, row)
	}
	return table(rows)
}

// table returns rows as CSV.
func table(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i := range row {
			row[i] = noFormula(row[i])
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// noFormula keeps a spreadsheet from taking a stranger's text for a formula.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
		return "'" + cell
	}
	return cell
}

// pageOf returns the address of the page on which something happened.
func pageOf(r *audit.Report, s *audit.Seen) string {
	for i := range r.States {
		if state := &r.States[i]; state.State == s.State && state.Run == s.Run && s.Page < len(state.Pages) {
			return state.Pages[s.Page].URL
		}
	}
	return ""
}

// place returns where a setter is: an address, and the line of a script.
func place(s *audit.Setter) string {
	if s == nil {
		return ""
	}
	if s.Line > 0 {
		return s.URL + ":" + strconv.Itoa(s.Line)
	}
	return s.URL
}
