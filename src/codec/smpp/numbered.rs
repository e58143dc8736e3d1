//! Numbers of the protocol that have names: any number is a value, and the known ones print their name.

/// Declares a number with names: the type, its constants, `name()`, `Display` and `Debug`.
macro_rules! numbered {
    (
        $(#[$about:meta])* $word:ident($number:ty, $width:literal) {
            $($(#[$doc:meta])* $constant:ident = $value:literal $name:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $word(pub $number);

        impl $word {
            $($(#[$doc])* pub const $constant: Self = Self($value);)*

            /// All that have a name.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];

            /// Its name in the specification, if it has one there.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $word {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#0width$x}", self.0, width = $width),
                }
            }
        }

        impl std::fmt::Debug for $word {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(super) use numbered;
