<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use InvalidArgumentException;
use RuntimeException;

use function array_key_exists;
use function dirname;
use function is_array;
use function is_string;
use function strlen;

/**
 * Where generated classes are written. What was not generated there is left alone.
 *
 * @internal
 */
final class Folder
{
    public const MISSING = 'is missing';
    public const STALE = 'is stale';
    public const LEFT_OVER = 'is left over';

    public function __construct(public readonly string $path)
    {
    }

    /**
     * Where Composer finds a namespace's classes.
     *
     * @param string $project its folder, where composer.json is
     * @throws InvalidArgumentException
     */
    public static function of(string $namespace, string $project): self
    {
        $composer = json_decode((string) @file_get_contents("{$project}/composer.json"), true);
        $autoload = is_array($composer) ? $composer['autoload'] ?? null : null;
        $prefixes = is_array($autoload) ? $autoload['psr-4'] ?? null : null;
        $best = '';
        $folder = null;
        foreach (is_array($prefixes) ? $prefixes : [] as $prefix => $folders) {
            $first = is_array($folders) ? reset($folders) : $folders;
            if (str_starts_with("{$namespace}\\", (string) $prefix) && is_string($first) && strlen((string) $prefix) >= strlen($best)) {
                [$best, $folder] = [(string) $prefix, $first];
            }
        }
        if ($folder === null) {
            throw new InvalidArgumentException("composer.json in {$project} does not say where {$namespace} is (autoload, psr-4): give --output, or another --namespace");
        }

        return new self(rtrim("{$project}/{$folder}", '/') . rtrim('/' . strtr(substr("{$namespace}\\", strlen($best)), '\\', '/'), '/'));
    }

    /**
     * @param array<string, string> $classes code by the class's name
     * @return array<string, string> what is wrong, by the path of the file
     * @throws InvalidArgumentException when a file of that name was not generated
     */
    public function differences(array $classes): array
    {
        $differences = [];
        foreach ($classes as $class => $code) {
            $file = $this->file($class);
            $old = is_file($file) ? (string) file_get_contents($file) : null;
            if ($old !== null && ! self::isOurs($old)) {
                throw new InvalidArgumentException("{$file} was not generated: move it, or give another --output");
            }
            if ($old !== $code) {
                $differences[$file] = $old === null ? self::MISSING : self::STALE;
            }
        }
        foreach (glob(addcslashes($this->path, '*?[\\') . '/*.php') ?: [] as $file) {
            if (! array_key_exists(basename($file, '.php'), $classes) && self::isOurs((string) file_get_contents($file))) {
                $differences[$file] = self::LEFT_OVER;
            }
        }

        return $differences;
    }

    /**
     * @param array<string, string> $classes code by the class's name
     * @return array<string, string> what was wrong, by the path of the file
     * @throws InvalidArgumentException when a file of that name was not generated
     */
    public function write(array $classes): array
    {
        $differences = $this->differences($classes);
        foreach ($differences as $file => $difference) {
            $done = $difference === self::LEFT_OVER
                ? unlink($file)
                : (is_dir(dirname($file)) || mkdir(dirname($file), recursive: true)) && file_put_contents($file, $classes[basename($file, '.php')]) !== false;
            if (! $done) {
                throw new RuntimeException("{$file} can't be written");
            }
        }

        return $differences;
    }

    private function file(string $class): string
    {
        return "{$this->path}/{$class}.php";
    }

    private static function isOurs(string $code): bool
    {
        return str_contains(substr($code, 0, 200), Generator::MARK);
    }
}
