#!/bin/sh
# Promotes one image from dev over staging to production. What was tested is what
# arrives: every step copies by digest, byte for byte, with signatures and SBOMs.
#
#   promote.sh NAME:TAG
#
# DEV, STAGING, PROD   the stages, REGISTRY[/PATH]; NAME is below each of them
# STAGING_TEST         program that is run with the image in staging, REPO@DIGEST,
#                      before it goes on; what it fails stays in staging
# COSIGN_KEY           public key that has signed what may go to production, or
# COSIGN_IDENTITY, COSIGN_ISSUER
#                      who has, by a certificate of sigstore's: an address or a
#                      workflow, and who vouches for it. "cosign verify" wants this
#                      signature. Without these variables nobody verifies one
# REQUIRE              types of referrers that an image for production must have,
#                      separated by spaces; default a signature of cosign's. A
#                      bill of materials is application/vnd.cyclonedx+json. This
#                      proves that they are there, and nothing about who made them
#
# Standard output is the image in production. Run it again after a failure: what
# has arrived is not sent again. Exit codes are those of crane-bake promote, or
# that of STAGING_TEST or cosign.
set -eu

if [ $# -ne 1 ] || [ "${1#*:}" = "$1" ]; then
	echo "usage: promote.sh NAME:TAG" >&2
	exit 2
fi
image=$1
: "${DEV:?is not set}" "${STAGING:?is not set}" "${PROD:?is not set}"
: "${REQUIRE=application/vnd.dev.cosign.simplesigning.v1+json}"
case ${COSIGN_KEY:+key}${COSIGN_IDENTITY:+identity}${COSIGN_ISSUER:+issuer} in
key) set -- --key "$COSIGN_KEY" ;;
identityissuer) set -- --certificate-identity "$COSIGN_IDENTITY" --certificate-oidc-issuer "$COSIGN_ISSUER" ;;
"")
	echo "promote.sh: signatures are not verified: set COSIGN_KEY, or COSIGN_IDENTITY and COSIGN_ISSUER" >&2
	set --
	;;
*)
	echo "promote.sh: want COSIGN_KEY alone, or COSIGN_IDENTITY and COSIGN_ISSUER" >&2
	exit 2
	;;
esac

# Gate 1: what is in dev is what its record says, and keeps the engine contract.
staged=$(crane-bake promote --verify --strict "$DEV/$image" "$STAGING/$image")

# Gate 2: it works in staging.
if [ -n "${STAGING_TEST:-}" ]; then
	"$STAGING_TEST" "$staged" >&2
fi

# Gate 3: who is to sign for production has signed this digest.
if [ $# -gt 0 ]; then
	cosign verify "$@" "$staged" >&2
fi

# Gate 4: it is still the same, has what is required, and production's tag is not
# another image.
set --
for type in $REQUIRE; do
	set -- "$@" --require-referrer "$type"
done
crane-bake promote --verify --strict "$@" --no-clobber "$staged" "$PROD/$image"
