//! What single answers of AWS mean to the drivers: refusals, lost connections, answers of something in between. Each answer is
//! scripted, and served over loopback through the real clients.

#[cfg(test)]
mod credentials;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod observers;
#[cfg(test)]
mod server;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod updates;
