// Featurestore runs a feature store and is its command line.
//
//	featurestore dev       a store with sample data, for trying out
//	featurestore init      write a project to begin with
//	featurestore serve     run one store
//	featurestore plan      show what definitions would change
//	featurestore apply     make it so
//	featurestore push      load rows from a file
//	featurestore get       look features up
//	featurestore delete    delete rows
//	featurestore inspect   print what a stopped store holds, or a token
//
//	featurestore regions   list the stores of the deployment
//	featurestore lag       show how far stores are behind each other
//	featurestore members   list, add and remove stores
//	featurestore link      slow, spoil, cut or heal a link of dev
//	featurestore verify-replicas   compare the rows of stores
//
//	featurestore version   tell what was built
//
// Invariants:
//
//	L1. The exit code is 0 for success, 1 for an error, and 130 when a signal
//	    ended a client's command; 2 is used by plan alone: there are changes. A
//	    signal is how dev and serve are stopped: they exit with 0 when they
//	    stopped in order.
//	L2. Results go to standard output, everything else to standard error.
//	    With --output json, results are JSON and nothing but.
//	L3. An error is one line, "featurestore: command: what", that says what
//	    would be right; several faults are listed below it.
//	L4. Repeating a push of the same file, after it failed or was interrupted,
//	    stores each batch once, unless --again asks for another time.
//
// What is not flags and printing belongs to other rooms.
package main
