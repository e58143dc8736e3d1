//! Views: the parameters of a packet by name, as received. What a view does not name stays in its packet.

/// Declares a view: each parameter once, the first one where it repeats.
macro_rules! view {
    (
        $(#[$about:meta])* $word:ident {
            $($(#[$doc:meta])* $field:ident: $parameter:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Default, Debug)]
        pub struct $word<'a> {
            $(
                #[doc = concat!("Parameter `", stringify!($parameter), "`.")]
                $(#[$doc])*
                pub $field: Option<$crate::codec::cimd2::Field<'a>>,
            )*
        }

        impl<'a> $word<'a> {
            /// Reads all parameters; only one that is no parameter at all is malformed here.
            pub fn read(packet: &'a $crate::codec::cimd2::Packet) -> Result<Self, $crate::codec::Malformed> {
                let mut view = Self::default();
                for field in packet.fields() {
                    let field = field?;
                    match field.parameter {
                        $($crate::codec::cimd2::Parameter::$parameter => {
                            view.$field.get_or_insert(field);
                        })*
                        _ => {}
                    }
                }
                Ok(view)
            }
        }
    };
}

pub(super) use view;
