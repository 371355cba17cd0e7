// Command helm is the unmodified Helm with one more way to call it.
//
// Helm spends most of a short call on starting up. As "helm serve-calls" it
// answers many calls, one after the other: each line of its input holds the
// arguments of a call as a JSON array of strings, each line of its output how the
// call ended and what it printed. It ends with its input. Settings that a call
// does not name are those of the call before, so callers name what matters.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	_ "unsafe" // for the link to a variable of cobra

	_ "k8s.io/client-go/plugin/pkg/client/auth"

	helm "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

// initializers are what cobra calls before each command. Helm adds one for every
// root command that it makes, and cobra forgets none: without an end to that, each
// call would connect anew for all calls before it, and keep what they knew.
//
//go:linkname initializers github.com/spf13/cobra.initializers
var initializers []func()

// answer is how a call ended and what it printed.
type answer struct {
	Code   int    `json:"code"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

func main() {
	// The field manager of what Helm applies, whatever the binary is called.
	kube.ManagedFieldsManager = "helm"
	if len(os.Args) == 2 && os.Args[1] == "serve-calls" {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString("serve calls: " + err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(call(os.Args[1:], os.Stdout, os.Stderr, helm.SetupLogging))
}

func serve(input io.Reader, output io.Writer) error {
	calls, answers := json.NewDecoder(input), json.NewEncoder(output)
	for {
		var arguments []string
		if err := calls.Decode(&arguments); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var stdout, stderr bytes.Buffer
		code := call(arguments, &stdout, &stderr, func(bool) {
			slog.SetDefault(slog.New(slog.NewTextHandler(&stderr, nil)))
		})
		if err := answers.Encode(answer{code, stdout.String(), stderr.String()}); err != nil {
			return err
		}
	}
}

// call runs one command and returns its exit code.
func call(arguments []string, stdout, stderr io.Writer, setUpLogging func(debug bool)) int {
	initializers = nil
	command, err := helm.NewRootCmd(stdout, arguments, setUpLogging)
	if err != nil {
		io.WriteString(stderr, "Error: "+err.Error()+"\n")
		return 1
	}
	command.SetArgs(arguments)
	command.SetErr(stderr)
	if err := command.Execute(); err != nil {
		var ended helm.CommandError
		if errors.As(err, &ended) {
			return ended.ExitCode
		}
		return 1
	}
	return 0
}
