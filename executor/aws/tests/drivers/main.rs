//! The drivers and observers of AWS against a twin of it, over loopback: what happens over time, and from every point at which
//! a process may die.

#[cfg(test)]
mod access;
#[cfg(test)]
mod clusters;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod nodegroups;
#[cfg(test)]
mod scene;
