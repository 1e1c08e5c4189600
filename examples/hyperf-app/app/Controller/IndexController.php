<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\GetMapping;
use Hyperf\HttpServer\Contract\ResponseInterface;
use Psr\Http\Message\ResponseInterface as PsrResponseInterface;

/**
 * What there is to see.
 */
#[Controller]
class IndexController
{
    #[GetMapping(path: '/')]
    public function index(ResponseInterface $response): PsrResponseInterface
    {
        return $response->html(<<<'HTML'
            <!doctype html>
            <title>Hyperf and Python</title>
            <ul>
                <li><a href="/hi?name=Reasno">/hi</a>: a greeting
                <li><a href="/primes?below=400000">/primes</a>: work for every processor
                <li><a href="/report?year=2026">/report</a>: figures, by numpy where it is installed
                <li><a href="/survey">/survey</a>: a bar that shows how far Python is
                <li>/table: statistics over an uploaded file
                    <form method="post" action="/table" enctype="multipart/form-data"><input type="file" name="file"><button>Send</button></form>
                <li><a href="/error">/error</a>: an exception in Python
                <li><a href="/health">/health</a>: whether Python answers
            </ul>
            HTML);
    }
}
