package enforcer

// KeptSources returns how many policies for pages are kept.
func KeptSources(e *Enforcer) int { return len(*e.loading.sources.Load()) }
