// kubectl, for the commands of the chart's documents.
//
// The same lines as k8s.io/kubernetes/cmd/kubectl, over modules that can be required without replacing
// half of Kubernetes.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	command := cmd.NewDefaultKubectlCommand()
	if err := cli.RunNoErrOutput(command); err != nil {
		// Prints the error as kubectl does, and exits.
		util.CheckErr(err)
	}
}
