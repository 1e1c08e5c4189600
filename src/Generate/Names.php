<?php

declare(strict_types=1);

namespace Reasno\GoTask\Generate;

use Nette\PhpGenerator\Helpers;

use function in_array;

/**
 * Python's names as PHP's: camel case, none that PHP reserves, no two alike.
 *
 * @internal
 */
final class Names
{
    /** Classes that the generated ones name, in lower case. */
    private const USED = ['args', 'bytes', 'calloptions', 'gotask', 'gotaskexception', 'datetimeimmutable', 'datetimeinterface', 'jsonserializable'];

    /**
     * `say_hello` is `sayHello`; an underscore before anything but a letter of ASCII stays, so nobody's tables decide how it is written.
     */
    public static function camel(string $name): string
    {
        return (string) preg_replace_callback('/(?<=[^_])_+([a-z])/', static fn (array $match): string => strtoupper($match[1]), $name);
    }

    /**
     * A name, with dots between its parts, as that of a class.
     */
    public static function studly(string $name): string
    {
        return implode('', array_map(static fn (string $part): string => ucfirst(self::camel(self::identifier($part))), explode('.', $name)));
    }

    public static function case(string $name): string
    {
        return strtolower($name) === 'class' ? "{$name}_" : $name;
    }

    /**
     * The variables for parameters or fields, whose names may be any text.
     *
     * @param list<string> $names
     * @return array<string, string> without the dollar sign
     */
    public static function variables(array $names): array
    {
        $variables = [];
        foreach ($names as $name) {
            $variable = self::identifier($name);
            $camel = self::camel($variable);
            // Where two would become one, the second one stays as it is.
            $variables[$name] = self::free($camel === 'this' || in_array($camel, $variables, true) ? $variable : $camel, [...$variables, 'this']);
        }

        return $variables;
    }

    /**
     * The classes for services and for classes of Python's, which have a qualified name where two have the same one.
     *
     * @param array<string, array{string, string}> $wanted a short and a qualified name for each
     * @return array<string, string>
     */
    public static function classes(array $wanted): array
    {
        ksort($wanted);
        $short = array_map(static fn (array $names): string => self::studly($names[0]), $wanted);
        $taken = array_count_values(array_map(strtolower(...), $short));
        $classes = [];
        foreach ($wanted as $id => [, $qualified]) {
            $name = $taken[strtolower($short[$id])] > 1 ? self::studly($qualified) : $short[$id];
            $classes[$id] = self::free($name, [...self::USED, ...array_keys(Helpers::Keywords), ...$classes]);
        }

        return $classes;
    }

    private static function identifier(string $name): string
    {
        return (string) preg_replace(['/[^a-zA-Z0-9_\x7f-\xff]/', '/^(?=[0-9]|$)/'], '_', $name);
    }

    /**
     * @param array<string> $taken
     */
    private static function free(string $name, array $taken): string
    {
        $taken = array_map(strtolower(...), $taken);
        while (in_array(strtolower($name), $taken, true)) {
            $name .= '_';
        }

        return $name;
    }
}
