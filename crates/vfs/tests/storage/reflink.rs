//! Copies on a file system that lets files share their blocks. Needs root, a loop device, and
//! `mkfs.btrfs` (`scripts/install-test-tools.sh`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2eeftp_vfs::{CopyOptions, ErrorKind, LocalStorage, Storage};
use tempfile::TempDir;

use crate::support::{Unwatched, kind, path};
use crate::tmpfs;

const MIB: usize = 1024 * 1024;
/// The smallest that `mkfs.btrfs` makes is 114 MiB.
const SIZE: usize = 256 * MIB;
/// Fits once, and not twice.
const BIG: usize = 150 * MIB;

/// Unmounted when dropped.
struct Btrfs {
    directory: TempDir,
}

impl Btrfs {
    fn mount() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        fs::File::create(&image).unwrap().set_len(SIZE as u64).unwrap();
        let made = Self { directory };
        fs::create_dir(made.path()).unwrap();
        run("mkfs.btrfs", &[Path::new("--quiet"), Path::new("--mixed"), &image]);
        run("mount", &[Path::new("-o"), Path::new("loop"), &image, &made.path()]);
        made
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        tmpfs::unmount(&self.path());
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let status = Command::new(program).args(arguments).status();
    let ended_well = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    assert!(
        ended_well,
        "{program}: {status:?}; see scripts/install-test-tools.sh, and run as root"
    );
}

#[test]
fn a_copy_shares_its_blocks_until_one_of_both_is_written_to() {
    let mounted = Btrfs::mount();
    let storage = LocalStorage::open_root(&mounted.path()).unwrap();
    let bytes: Vec<u8> = (0..BIG).map(|index| (index / 4096).to_le_bytes()[index % 4]).collect();
    fs::write(mounted.path().join("from"), &bytes).unwrap();
    let copy = |to| storage.copy(&path("from"), &path(to), &CopyOptions::default(), &Unwatched);
    for to in ["one", "two", "three"] {
        assert_eq!(copy(to).unwrap().bytes, BIG as u64);
        assert!(fs::read(mounted.path().join(to)).unwrap() == bytes, "{to}");
    }
    fs::write(mounted.path().join("one"), b"changed").unwrap();
    assert!(fs::read(mounted.path().join("from")).unwrap() == bytes);
    // Without sharing there is no room for a second one.
    let by_hand = fs::write(mounted.path().join("four"), &bytes);
    assert_eq!(by_hand.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    fs::remove_file(mounted.path().join("four")).unwrap();
    let limited = CopyOptions { max_len: Some(BIG as u64 - 1), ..CopyOptions::default() };
    let refused = storage.copy(&path("from"), &path("five"), &limited, &Unwatched);
    assert_eq!(kind(refused), ErrorKind::TooLarge);
}
