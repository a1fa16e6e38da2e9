// Peers measures the same writes and reads in Redis, in MariaDB and in
// featurestore, each with a primary and a replica on loopback, one after the
// other on the same disk. The script run fetches, builds, starts and tidies up;
// README.md says what is measured and how to read it.
//
// It is a module of its own, so that the clients of the others are no
// dependency of featurestore.
//
// Whatever it starts it stops by process id, and loads end by themselves: each
// has a number of operations and a time limit.
package main
