//! A small file system in memory, mounted beneath a temporary directory. Needs root.

use std::ffi::CString;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags};
use tempfile::TempDir;

/// Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Tmpfs {
    directory: TempDir,
}

impl Tmpfs {
    /// `size` as the mount option takes it, for example `1m`.
    pub(crate) fn mount(size: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        mount_at(directory.path(), size);
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// From now on nothing can be written.
    #[allow(dead_code, reason = "not every user of this file needs it")]
    pub(crate) fn make_read_only(&self) {
        rustix::mount::mount_remount(self.path(), MountFlags::RDONLY, c"").unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

pub(crate) fn mount_at(path: &Path, size: &str) {
    let options = CString::new(format!("size={size},mode=0755")).unwrap();
    rustix::mount::mount("tmpfs", path, "tmpfs", MountFlags::empty(), Some(options.as_c_str()))
        .expect("this test mounts a tmpfs and must run as root");
}

pub(crate) fn unmount(path: &Path) {
    if let Err(error) = rustix::mount::unmount(path, UnmountFlags::DETACH) {
        eprintln!("could not unmount a test file system: {error}");
    }
}
