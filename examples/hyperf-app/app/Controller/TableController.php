<?php

declare(strict_types=1);

namespace App\Controller;

use Hyperf\HttpMessage\Exception\BadRequestHttpException;
use Hyperf\HttpMessage\Upload\UploadedFile;
use Hyperf\HttpServer\Annotation\Controller;
use Hyperf\HttpServer\Annotation\PostMapping;
use Hyperf\HttpServer\Contract\RequestInterface;
use Reasno\GoTask\Bytes;
use Reasno\GoTask\GoTask;

/**
 * An uploaded file, worked on in Python.
 */
#[Controller]
class TableController
{
    public function __construct(private readonly GoTask $task)
    {
    }

    #[PostMapping(path: '/table')]
    public function summary(RequestInterface $request): mixed
    {
        $file = $request->file('file');
        if (! $file instanceof UploadedFile || ! $file->isValid()) {
            throw new BadRequestHttpException('Send a table as the field "file".');
        }

        // As bytes: what is in the file is for Python to find out. Where both sides see the same file system, the path
        // of a very large file would do as well.
        return $this->task->call('Table.Summary', new Bytes($file->getStream()->getContents()));
    }
}
