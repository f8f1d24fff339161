// Kdrill is a terminal console for Kafka that is at its best when a broker dies.
package main

import (
	"os"

	"kdrill/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:])) }
