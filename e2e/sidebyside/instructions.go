package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// instructionCounter returns the path of perf, or "" if there is none or the machine counts no
// instructions. Many virtual machines do not.
func instructionCounter(ctx context.Context) string {
	perf, err := exec.LookPath("perf")
	if err != nil {
		return ""
	}
	cmd := exec.CommandContext(ctx, perf, "stat", "-x", ",", "-e", "instructions", "--", "true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return ""
	}
	if _, err := countedInstructions(out); err != nil {
		return ""
	}
	return perf
}

// counting is a running perf. perf counts until the command that it is given ends. The command is
// cat, which ends when its input is closed.
type counting struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output bytes.Buffer
}

// countInstructions starts to count the instructions that processes execute.
func countInstructions(perf string, pids []int) (*counting, error) {
	ids := strings.Trim(strings.ReplaceAll(fmt.Sprint(pids), " ", ","), "[]")
	c := &counting{
		cmd: exec.Command(perf, "stat", "-x", ",", "-e", "instructions", "-p", ids, "--", "cat"),
	}
	c.cmd.Stderr = &c.output
	var err error
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	echo, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	// perf counts before the command runs, so it counts once the command has answered.
	_, err = c.input.Write([]byte{'.'})
	if err == nil {
		_, err = io.ReadFull(echo, make([]byte, 1))
	}
	if err != nil {
		return nil, errors.Join(err, c.input.Close(), c.cmd.Wait())
	}
	return c, nil
}

// end stops perf and returns how many instructions were executed.
func (c *counting) end() (float64, error) {
	if err := errors.Join(c.input.Close(), c.cmd.Wait()); err != nil {
		return 0, fmt.Errorf("perf: %w\n%s", err, &c.output)
	}
	return countedInstructions(c.output.Bytes())
}

// countedInstructions returns the sum of the counts that `perf stat -x ,` printed. There is a line
// for each kind of core, and the count is its first field.
func countedInstructions(text []byte) (sum float64, err error) {
	found := false
	for line := range strings.Lines(string(text)) {
		count, rest, ok := strings.Cut(line, ",")
		if !ok || !strings.Contains(rest, "instructions") {
			continue
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return 0, fmt.Errorf("perf printed %q", line)
		}
		sum += n
		found = true
	}
	if !found {
		return 0, fmt.Errorf("perf printed %q", text)
	}
	return sum, nil
}
