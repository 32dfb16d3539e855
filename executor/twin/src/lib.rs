//! A digital twin of the platform; shares no code with the drivers.
