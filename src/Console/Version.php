<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Composer\InstalledVersions;

/**
 * @internal
 */
final class Version
{
    private const PACKAGE = 'reasno/gotask';

    /** As Composer knows it. */
    public static function installed(): string
    {
        if (class_exists(InstalledVersions::class) && InstalledVersions::isInstalled(self::PACKAGE)) {
            return InstalledVersions::getPrettyVersion(self::PACKAGE) ?? 'unknown';
        }

        return 'unknown';
    }
}
