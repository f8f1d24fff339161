#!/bin/sh
# What Apache's zkServer.sh is to a test suite: zkServer.sh start-foreground <zoo.cfg>. The node is the program
# $COORDINATOR_PROGRAM, which reads the file that COORDINATOR_CONFIG names. System properties in SERVER_JVMFLAGS become
# lines of the configuration.
set -eu
[ "$1" = start-foreground ] || { echo "usage: zkServer.sh start-foreground <zoo.cfg>" >&2; exit 2; }
COORDINATOR_CONFIG="$2.node"
{
	cat "$2"
	for flag in ${SERVER_JVMFLAGS:-}; do
		case "$flag" in -Dzookeeper.*) echo "${flag#-D}" ;; esac
	done
} >"$COORDINATOR_CONFIG"
export COORDINATOR_CONFIG
exec "$COORDINATOR_PROGRAM"
