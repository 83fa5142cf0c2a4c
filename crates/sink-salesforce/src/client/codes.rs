//! The codes by which the platform refuses, and what each means (Salesforce APIs, section 3.3; objects, section 10.7).

use super::error::Class;

macro_rules! codes {
    ($($class:ident: $($name:ident $text:literal),+;)+) => {
        /// A code that the platform is known to answer; others keep their text and are taken for the row's own fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($($name,)+)+
        }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// The code of this text.
            pub(crate) fn of(text: &str) -> Option<Self> {
                match text {
                    $($($text => Some(Self::$name),)+)+
                    _ => None,
                }
            }

            /// As the platform writes it.
            #[cfg(test)]
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)+)+
                }
            }

            /// What it means where it stands alone.
            pub(crate) const fn class(self) -> Class {
                match self {
                    $($(Self::$name => Class::$class,)+)+
                }
            }
        }
    };
}

codes! {
    Session: InvalidSessionId "INVALID_SESSION_ID", InvalidAuthHeader "INVALID_AUTH_HEADER";
    Quota: RequestLimitExceeded "REQUEST_LIMIT_EXCEEDED", StorageLimitExceeded "STORAGE_LIMIT_EXCEEDED",
        ApiDisabledForOrg "API_DISABLED_FOR_ORG", ApiCurrentlyDisabled "API_CURRENTLY_DISABLED";
    Locked: UnableToLockRow "UNABLE_TO_LOCK_ROW";
    Transient: ServerUnavailable "SERVER_UNAVAILABLE", UnknownException "UNKNOWN_EXCEPTION", QueryTimeout "QUERY_TIMEOUT",
        TooManyApexRequests "TOO_MANY_APEX_REQUESTS";
    Derived: ProcessingHalted "PROCESSING_HALTED", AllOrNoneOperationRolledBack "ALL_OR_NONE_OPERATION_ROLLED_BACK";
    Duplicate: DuplicateValue "DUPLICATE_VALUE", DuplicateExternalId "DUPLICATE_EXTERNAL_ID";
    DuplicateRule: DuplicatesDetected "DUPLICATES_DETECTED";
    Automation: CannotInsertUpdateActivateEntity "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        CannotExecuteFlowTrigger "CANNOT_EXECUTE_FLOW_TRIGGER", ApexError "APEX_ERROR";
    Size: ExceededMaxSizeRequest "EXCEEDED_MAX_SIZE_REQUEST", OperationTooLarge "OPERATION_TOO_LARGE";
    Row: RequiredFieldMissing "REQUIRED_FIELD_MISSING", StringTooLong "STRING_TOO_LONG",
        InvalidEmailAddress "INVALID_EMAIL_ADDRESS", NumberOutsideValidRange "NUMBER_OUTSIDE_VALID_RANGE",
        InvalidOrNullForRestrictedPicklist "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        FieldIntegrityException "FIELD_INTEGRITY_EXCEPTION",
        FieldCustomValidationException "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        FieldFilterValidationException "FIELD_FILTER_VALIDATION_EXCEPTION",
        TextDataOutsideSupportedCharset "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
        InvalidCrossReferenceKey "INVALID_CROSS_REFERENCE_KEY",
        InsufficientAccessOnCrossReferenceEntity "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        InsufficientAccessOrReadonly "INSUFFICIENT_ACCESS_OR_READONLY", InactiveOwnerOrUser "INACTIVE_OWNER_OR_USER",
        InvalidField "INVALID_FIELD", InvalidFieldForInsertUpdate "INVALID_FIELD_FOR_INSERT_UPDATE",
        InvalidType "INVALID_TYPE", MalformedId "MALFORMED_ID", JsonParserError "JSON_PARSER_ERROR",
        MalformedQuery "MALFORMED_QUERY", InvalidQueryLocator "INVALID_QUERY_LOCATOR",
        EntityIsDeleted "ENTITY_IS_DELETED", NotFound "NOT_FOUND";
}

/// The refusal that code of the org met and passed on: the last known code inside its message. What stands alone in capitals is
/// a code, what is a part of a longer word is none.
pub(crate) fn nested(message: &str) -> Option<Code> {
    let words = message.rsplit(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    words.filter_map(Code::of).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_read_from_its_own_text() {
        for code in Code::ALL {
            assert_eq!(Code::of(code.text()), Some(*code));
        }
        assert_eq!(Code::of("SOMETHING_NEW"), None);
    }

    #[test]
    fn what_automation_met_is_found_inside_its_message() {
        for (message, inside) in [
            (
                "CaseTrigger: execution of BeforeInsert\n\ncaused by: System.DmlException: Update failed. First exception on row 0 with id 001; first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access to this record: []",
                Some(Code::UnableToLockRow),
            ),
            (
                "We can't save this record because the “Case” process failed. CANNOT_EXECUTE_FLOW_TRIGGER: … FIELD_CUSTOM_VALIDATION_EXCEPTION: no",
                Some(Code::FieldCustomValidationException),
            ),
            ("System.LimitException: Apex CPU time limit exceeded", None),
            ("CaseTrigger: NOT_FOUNDATION", None),
            ("", None),
        ] {
            assert_eq!(nested(message), inside, "{message}");
        }
    }
}
