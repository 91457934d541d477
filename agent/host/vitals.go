package host

// Reading is one number of the vitals: what is cheap to read, changes by itself,
// and says later when something began.
type Reading struct {
	// Kind is as in Vital.kind of the schema, or CarrierLosses.
	Kind string
	// Owner is the link, server, mount or battery it belongs to; "": the machine.
	Owner string
	// Value is in the unit that the kind's name says.
	Value float64
}

// CarrierLosses is the kind of a reading that counts how often a link has lost
// its carrier since it was made.
const CarrierLosses = "carrierLosses"

// Bounds of one look, for machines with hundreds of links or mounts.
const (
	maxVitalLinks  = 16
	maxVitalMounts = 8
)
