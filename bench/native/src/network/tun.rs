//! TUN devices: network devices whose packets a program reads and writes (Linux,
//! Documentation/networking/tuntap.rst). They vanish with their descriptor.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// Makes the device `name` in the network namespace of this thread. It is down and has no address.
/// Each read gives, and each write takes, one IP packet; neither waits.
///
/// # Errors
/// Of the system: without the right to administer this network namespace, or if the name is taken.
pub fn open(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: `ifreq` is plain data, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if name.len() >= size_of_val(&request.ifr_name) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is too long"));
    }
    for (target, source) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *target = libc::c_char::from_ne_bytes([source]);
    }
    // Bare IP packets without a header in front, and no offloads: each is one packet of the link.
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).map_err(io::Error::other)?;
    const { assert!(size_of::<libc::ifreq>() == 40) };
    // SAFETY: TUNSETIFF takes a pointer to an `ifreq`, which lives in this frame.
    if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

/// Moves this process, which must have one thread, into a new network namespace.
///
/// # Errors
/// Of the system, without the right to do so.
pub fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: this call takes a number only.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
