<?php

declare(strict_types=1);

namespace Reasno\GoTask\Tests\Unit\Protocol;

use PHPUnit\Framework\Attributes\CoversClass;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;
use Reasno\GoTask\Exception\NotAuthorized;
use Reasno\GoTask\Protocol\Handshake;
use Reasno\GoTask\Protocol\Key;

use function hex2bin;
use function json_decode;
use function json_encode;
use function str_repeat;

/**
 * @internal
 */
#[CoversClass(Handshake::class)]
final class HandshakeTest extends TestCase
{
    private const KEY = 'a key that is known to both';

    public function testWithoutAKeyNothingIsProven(): void
    {
        $handshake = new Handshake(null);

        self::assertSame('{"protocol":1,"peer":"php","version":"0.1.0"}', $handshake->hello());
        self::assertNull($handshake->authenticate('{"protocol":1}'));
    }

    public function testBothSidesProveThatTheyHaveTheKey(): void
    {
        $handshake = new Handshake(new Key(self::KEY));
        $mine = (string) hex2bin(self::field($handshake->hello(), 'nonce'));
        $theirs = str_repeat("\x01", Key::NONCE);
        $proof = $handshake->authenticate((string) json_encode(['protocol' => 1, 'nonce' => bin2hex($theirs)]));

        self::assertSame((new Key(self::KEY))->proof(Key::CALLER, $mine, $theirs), self::field((string) $proof, 'proof'));
        $handshake->verify((string) json_encode(['proof' => (new Key(self::KEY))->proof(Key::BROKER, $mine, $theirs)]));

        // Its own proof, sent back.
        $this->expectException(NotAuthorized::class);
        $this->expectExceptionMessage('does not have our shared key');
        $handshake->verify((string) $proof);
    }

    public function testNoNonceIsUsedTwice(): void
    {
        $key = new Key(self::KEY);

        self::assertNotSame((new Handshake($key))->hello(), (new Handshake($key))->hello());
    }

    #[DataProvider('noNonces')]
    public function testAPeerThatAsksForNoKeyGetsNoCall(string $hello): void
    {
        $handshake = new Handshake(new Key(self::KEY));

        $this->expectException(NotAuthorized::class);
        $this->expectExceptionMessage('asks for no shared key');
        $handshake->authenticate($hello);
    }

    /**
     * @return iterable<array{string}>
     */
    public static function noNonces(): iterable
    {
        yield [''];
        yield ['no such method'];
        yield ['{"protocol": 1}'];
        yield ['{"nonce": 1}'];
        yield ['{"nonce": "00"}'];
        yield ['{"nonce": "' . str_repeat('zz', 32) . '"}'];
        yield ['"nonce"'];
    }

    #[DataProvider('noProofs')]
    public function testAPeerWithoutTheProofGetsNoCall(string $reply): void
    {
        $handshake = new Handshake(new Key(self::KEY));
        $handshake->authenticate('{"nonce": "' . str_repeat('00', 32) . '"}');

        $this->expectException(NotAuthorized::class);
        $handshake->verify($reply);
    }

    /**
     * @return iterable<array{string}>
     */
    public static function noProofs(): iterable
    {
        yield [''];
        yield ['{}'];
        yield ['{"proof": null}'];
        yield ['{"proof": ""}'];
        yield ['{"proof": "' . str_repeat('0', 64) . '"}'];
    }

    private static function field(string $json, string $name): string
    {
        $said = json_decode($json, true);
        self::assertIsArray($said);
        self::assertIsString($said[$name]);

        return $said[$name];
    }
}
