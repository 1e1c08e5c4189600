<?php

declare(strict_types=1);

namespace Reasno\GoTask\Console;

use Reasno\GoTask\Address;
use Reasno\GoTask\Client;
use Reasno\GoTask\GoTask;
use Reasno\GoTask\Process\KeyFile;
use Reasno\GoTask\Runtime\Stream\StreamConnector;
use Reasno\GoTask\Tls;
use ValueError;

use function count;

/**
 * Where commands look for a worker that nobody told them the address of: the same places as the Python side.
 *
 * @internal
 */
final class Addresses
{
    public const DEFAULT = 'unix://runtime/gotask/default.sock';

    /**
     * @param null|string $given what a command was told, where commas separate several
     * @return non-empty-list<string> these; else those of the variable GOTASK_ADDRESS, written alike; else the default, relative to
     *                                the working directory
     */
    public static function of(?string $given = null): array
    {
        return self::split($given ?? (string) getenv('GOTASK_ADDRESS')) ?: [self::DEFAULT];
    }

    /**
     * @return list<string>
     */
    public static function split(string $addresses): array
    {
        return array_values(array_filter(array_map(trim(...), explode(',', $addresses))));
    }

    /**
     * The machines behind addresses: a name with several records stands for several.
     *
     * @param list<string> $addresses
     * @return array<string, Address|string> by what tells one from the others
     * @throws ValueError when one of them is no address
     */
    public static function machines(array $addresses): array
    {
        $machines = [];
        foreach ($addresses as $given) {
            $address = Address::parse($given);
            $ips = $address->isName() ? StreamConnector::resolve($address->host) : [];
            foreach (count($ips) > 1 ? array_map($address->at(...), $ips) : [$given] as $machine) {
                $machines[(string) $machine] = $machine;
            }
        }

        return $machines;
    }

    /**
     * A client that takes what network addresses need from the variables GOTASK_KEY, GOTASK_KEY_FILE, and GOTASK_TLS_CA,
     * GOTASK_TLS_CERTIFICATE and GOTASK_TLS_KEY.
     *
     * @param list<Address|string> $addresses
     * @throws ValueError when one of them can't be used
     */
    public static function connect(array $addresses): GoTask
    {
        $key = preg_grep('~^unix://~', $addresses, PREG_GREP_INVERT) === [] ? null : KeyFile::fromEnvironment();
        $files = preg_grep('~^tls://~', $addresses) === [] ? [] : ['CA', 'CERTIFICATE', 'KEY'];
        $tls = array_map(static fn (string $name): ?string => getenv("GOTASK_TLS_{$name}") ?: null, $files);

        return new Client($addresses, key: $key, tls: new Tls(...$tls));
    }
}
