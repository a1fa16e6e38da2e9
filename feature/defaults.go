package feature

// ReadDefaults returns the read settings of a request to the view that gives
// none: its own where set, else its group's.
func (v *ResolvedView) ReadDefaults() ReadDefaults {
	d := v.Group.Read
	if v.Read.Level != "" {
		d.Level, d.MaxStaleness = v.Read.Level, v.Read.MaxStaleness
	}
	if v.Read.Fallback != nil {
		d.Fallback = v.Read.Fallback
	}
	return d
}

// WriteDefaults returns the write settings of a request to the view that gives
// none: its own where set, else its group's.
func (v *ResolvedView) WriteDefaults() WriteDefaults {
	d := v.Group.Write
	if v.Write.Concern != "" {
		d.Concern = v.Write.Concern
	}
	if v.Write.Timeout != 0 {
		d.Timeout = v.Write.Timeout
	}
	if v.Write.OnTimeout != "" {
		d.OnTimeout = v.Write.OnTimeout
	}
	if v.Write.RequireLive != (RequireLive{}) {
		d.RequireLive = v.Write.RequireLive
	}
	return d
}
