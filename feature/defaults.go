package feature

// ReadDefaults returns the read settings of a request to the view that gives
// none: its own where set, else its group's. AtLeast is the view's alone: see
// ReadFloors.
func (v *ResolvedView) ReadDefaults() ReadDefaults { return v.Group.Read.with(v.Read) }

func (d ReadDefaults) with(own ReadDefaults) ReadDefaults {
	if own.Level != "" {
		d.Level, d.MaxStaleness = own.Level, own.MaxStaleness
	}
	if own.ReadRepair != "" {
		d.ReadRepair = own.ReadRepair
	}
	if own.Fallback != nil {
		d.Fallback = own.Fallback
	}
	d.AtLeast = own.AtLeast
	return d
}

// WriteDefaults returns the write settings of a request to the view that gives
// none: its own where set, else its group's. AtLeast is the view's alone: see
// WriteFloors.
func (v *ResolvedView) WriteDefaults() WriteDefaults { return v.Group.Write.with(v.Write) }

func (d WriteDefaults) with(own WriteDefaults) WriteDefaults {
	if own.Concern != "" {
		d.Concern = own.Concern
	}
	if own.Timeout != 0 {
		d.Timeout = own.Timeout
	}
	if own.OnTimeout != "" {
		d.OnTimeout = own.OnTimeout
	}
	if own.RequireLive != (RequireLive{}) {
		d.RequireLive = own.RequireLive
	}
	d.AtLeast = own.AtLeast
	return d
}

// Floor is the least that requests may ask for, and whose setting says so.
type Floor struct {
	// Setting is for people, such as "read.at_least of group default".
	Setting string
	AtLeast string
}

// ReadFloors are the least levels that reads of the view may ask for: its
// group's and its own, where set.
func (v *ResolvedView) ReadFloors() []Floor {
	return floors("read.at_least", v, v.Group.Read.AtLeast, v.Read.AtLeast)
}

// WriteFloors are the least concerns that writes to the view may ask for.
func (v *ResolvedView) WriteFloors() []Floor {
	return floors("write.at_least", v, v.Group.Write.AtLeast, v.Write.AtLeast)
}

func floors(setting string, v *ResolvedView, group, view string) (out []Floor) {
	if group != "" {
		out = append(out, Floor{setting + " of group " + v.Group.Name, group})
	}
	if view != "" {
		out = append(out, Floor{setting + " of view " + v.Name, view})
	}
	return out
}
