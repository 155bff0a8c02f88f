//! What the processor is good at.

/// Whether this processor has instructions for AES and for carry-less multiplication.
///
/// Without them AES-256-GCM is slower than ChaCha20-Poly1305, and harder to keep constant in
/// time; such a side asks for ChaCha20-Poly1305.
pub fn has_aes_hardware() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("aes")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("aes")
            && std::arch::is_aarch64_feature_detected!("pmull")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}
