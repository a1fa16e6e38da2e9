// Expected computes the answers to ten lookups from the Online Retail file and
// prints them, with the questions, as JSON. It imports the standard library
// only: nothing of the store helps it, so nothing of the store can mislead it.
//
// It keeps every line in memory and goes through all of them for each entity:
// slow, and easy to believe.
package main
