package api

import (
	"errors"

	"featurestore/feature"
	"featurestore/hlc"
)

// sentinels maps the errors of the rooms that server and SDK both import to
// their codes. The sentinels of rooms beyond the SDK's reach are mapped by the
// server; there the code itself is the sentinel that both share. The first row
// of an error is its code; further rows only make errors.Is true.
var sentinels = []sentinel{
	{feature.ErrNoProject, CodeProjectNotFound},
	{feature.ErrNoView, CodeViewNotFound},
	{feature.ErrNoFeature, CodeFeatureNotFound},
	{feature.ErrNoService, CodeServiceNotFound},
	{feature.ErrNoEntity, CodeEntityNotFound},
	{feature.ErrNoPushSource, CodePushSourceNotFound},
	{feature.ErrConflict, CodeConflict},
	{feature.ErrIncompatible, CodeIncompatible},
	{feature.ErrInvalid, CodeInvalidDefinitions},
	{feature.ErrInvalid, CodeIncompatible}, // such a problem is both
	{feature.ErrEventInFuture, CodeEventInFuture},
	{feature.ErrEventTooOld, CodeEventTooOld},
	{feature.ErrCounterOverflow, CodeCounterOverflow},
	{feature.ErrSetTooLarge, CodeSetTooLarge},
	{feature.ErrSiblingTooLarge, CodeInvalidValue},
	{feature.ErrCorrupt, CodeCorruptData},
	{hlc.ErrAhead, CodeClockFenced},
}

// CodeOf returns the code of err: that of a Problem or Code in its chain, else
// that of a sentinel of the domain. It reports false for errors without one.
func CodeOf(err error) (Code, bool) {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code, true
	}
	var c Code
	if errors.As(err, &c) {
		return c, true
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.code, true
		}
	}
	return "", false
}

type sentinel struct {
	err  error
	code Code
}
