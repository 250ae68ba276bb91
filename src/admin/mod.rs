//! Floor 4: the HTTP API and metrics.
