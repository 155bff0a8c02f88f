//! The words of the calls: how to open, what to do, types and permission bits.

use std::ops::BitOr;

/// A set of flags, with as much of the interface of `rustix` as storage uses.
macro_rules! flags {
    ($(#[$doc:meta])* $set:ident { $($(#[$flag_doc:meta])* $flag:ident = $value:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $set(u32);

        #[allow(dead_code, reason = "the words that storage uses on some platform")]
        impl $set {
            $($(#[$flag_doc])* pub(crate) const $flag: Self = Self($value);)+

            pub(crate) const fn empty() -> Self {
                Self(0)
            }

            pub(crate) const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            pub(crate) const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            pub(crate) const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl BitOr for $set {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }
    };
}

flags! {
    /// How to open.
    OFlags {
        RDONLY = 0,
        /// Read and write.
        RDWR = 1,
        /// Make the file if it is not there.
        CREATE = 1 << 1,
        /// With `CREATE`: fail if it is there.
        EXCL = 1 << 2,
        /// Fail unless it is a directory.
        DIRECTORY = 1 << 3,
        /// Only as a starting point for other calls.
        PATH = 1 << 4,
        /// Links are never followed, with or without it.
        NOFOLLOW = 1 << 5,
        /// Handles are never inherited, with or without it.
        CLOEXEC = 1 << 6,
        /// Opening a file never waits, with or without it.
        NONBLOCK = 1 << 7,
        /// Nothing that is opened becomes a terminal of the process, with or without it.
        NOCTTY = 1 << 8,
    }
}

flags! {
    /// What a call does with a name.
    AtFlags {
        /// Remove a directory instead of something else.
        REMOVEDIR = 1,
        /// Links are never followed, with or without it.
        SYMLINK_NOFOLLOW = 1 << 1,
    }
}

flags! {
    /// How to rename.
    RenameFlags {
        /// Fail if the new name is taken.
        NOREPLACE = 1,
    }
}

/// Bits of type and permission.
pub(crate) type RawMode = u32;

flags! {
    /// Permission bits. Windows keeps none: access is what the directory's access list, which new
    /// files inherit, says.
    Mode {
        RUSR = 0o400,
        WUSR = 0o200,
        RWXU = 0o700,
        RWXG = 0o070,
        RWXO = 0o007,
    }
}

impl Mode {
    pub(crate) const fn from_raw_mode(bits: RawMode) -> Self {
        Self(bits)
    }

    #[cfg(test)]
    pub(crate) const fn as_raw_mode(self) -> RawMode {
        self.0
    }
}

/// The type of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    RegularFile,
    Directory,
    Symlink,
    /// A device, or a file whose content is elsewhere.
    CharacterDevice,
    /// Ask for the status.
    Unknown,
}

impl FileType {
    const MASK: RawMode = 0o170_000;

    pub(super) const fn as_raw_mode(self) -> RawMode {
        match self {
            Self::RegularFile => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::CharacterDevice => 0o020_000,
            Self::Unknown => 0,
        }
    }

    pub(crate) const fn from_raw_mode(mode: RawMode) -> Self {
        match mode & Self::MASK {
            0o100_000 => Self::RegularFile,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o020_000 => Self::CharacterDevice,
            _ => Self::Unknown,
        }
    }
}

/// What `flock` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlockOperation {
    /// Takes the one lock of the file, or answers `WOULDBLOCK`.
    NonBlockingLockExclusive,
    /// Gives it back.
    Unlock,
}

/// Seconds since 1970, and nanoseconds on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timespec {
    pub(crate) tv_sec: i64,
    pub(crate) tv_nsec: i64,
}

/// In `tv_nsec`: leave that time as it is.
pub(crate) const UTIME_OMIT: i64 = i64::MAX;

/// The times that `futimens` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamps {
    pub(crate) last_access: Timespec,
    pub(crate) last_modification: Timespec,
}
