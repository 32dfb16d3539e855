//! Drivers and observers on AWS: EKS and RDS by their SDKs, a handful of other calls signed by hand.
