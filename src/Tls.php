<?php

declare(strict_types=1);

namespace Reasno\GoTask;

use Reasno\GoTask\Platform\Quietly;
use ValueError;

/**
 * What a client needs for a `tls://` address: TLS 1.3, and the broker's certificate is always verified.
 */
final class Tls
{
    /**
     * @param null|string $ca PEM file of the authorities that are trusted; null: those of the system
     * @param null|string $certificate PEM file of the client's own certificate, where the broker asks for one
     * @param null|string $key PEM file of its private key; null: in the same file
     * @param null|string $peerName the name that the broker's certificate is to have; null: the address's host
     * @throws ValueError when a file can't be read
     */
    public function __construct(
        public readonly ?string $ca = null,
        public readonly ?string $certificate = null,
        public readonly ?string $key = null,
        public readonly ?string $peerName = null,
    ) {
        foreach ([$ca, $certificate, $key] as $file) {
            if ($file !== null && ! Quietly::call(static fn () => is_file($file) && is_readable($file))) {
                throw new ValueError("The file {$file} for TLS can't be read: there is none, or this user may not.");
            }
        }
    }
}
