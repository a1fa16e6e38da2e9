// Package api is the REST contract: the JSON that the server and the SDK
// exchange, its error codes, header names, and the codec between JSON and the
// domain's values. It is the only room that knows JSON.
//
// Invariants:
//
//	A1. Every value of every type survives JSON and back unchanged.
//	A2. Every sentinel error that a caller acts on has one code and one status;
//	    errors.Is gives the same answer in the server and in the SDK.
//	A3. Decoding refuses unknown fields on native paths and names the field it
//	    refused.
package api
