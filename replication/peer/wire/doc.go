// Package wire is the generated code of peer.proto: what two stores say to each
// other, byte for byte. Package peer alone uses it.
//
// tools/proto writes the code. It needs protoc, which not every machine has, so
// it is no go:generate line: go generate works with Go alone.
package wire
