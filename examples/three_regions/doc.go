// Package regions holds configuration for three stores in three regions on one
// machine, and a test that types what README.md shows into real processes.
package regions
